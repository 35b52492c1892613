"""Writer of ``asn`` files."""

from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.time import Time

from simulator.plan import Association, FaultKind

__all__ = ["write_association"]


def write_association(association: Association, folder: Path) -> Path:
    """Write an association table; a missing member is named as present, as it was expected.

    Parameters
    ----------
    association
        Exposures that belong together.
    folder
        Where to.
    """
    path = folder / f"{association.rootname}_asn.fits"
    first, last = association.members[0], association.members[-1]
    primary = fits.PrimaryHDU()
    for keyword, value, comment in (
        ("NEXTEND", 1, "number of standard extensions"),
        ("DATE", Time(last.stop + 1.0, format="mjd").iso[:10], "date this file was written"),
        ("FILENAME", path.name, "name of file"),
        ("FILETYPE", "ASN_TABLE", "type of data found in data file"),
        ("TELESCOP", "HST", "telescope used to acquire data"),
        ("INSTRUME", "COS", "identifier for instrument used to acquire data"),
        ("EQUINOX", 2000.0, "equinox of celestial coord. system"),
        ("ROOTNAME", association.rootname, "rootname of the observation set"),
        ("PRIMESI", "COS", "instrument designated as prime"),
        ("TARGNAME", first.target.name, "proposer's target name"),
        ("RA_TARG", first.target.ra, "right ascension of the target (deg) (J2000)"),
        ("DEC_TARG", first.target.dec, "declination of the target (deg) (J2000)"),
        ("PROPOSID", first.proposal, "PEP proposal identifier"),
        ("LINENUM", first.linenum, "proposal logsheet line number"),
        ("PR_INV_L", first.principal_investigator, "last name of principal investigator"),
        ("DETECTOR", first.detector, "FUV or NUV"),
        ("ASN_ID", association.rootname, "unique identifier assigned to association"),
        ("ASN_TAB", path.name, "name of the association table"),
        ("ASN_STAT", "COMPLETE", "status of association"),
        ("ASN_PROD", True, "product created (T/F)"),
    ):
        primary.header[keyword] = (value, comment)
    names = [member.rootname.upper() for member in association.members] + [
        association.rootname.upper()
    ]
    types = [member.member_type for member in association.members] + ["PROD-FP"]
    present = [not member.faults_of(FaultKind.LEFT_OUT) for member in association.members] + [True]
    columns = [
        fits.Column("MEMNAME", "14A", array=np.array(names)),
        fits.Column("MEMTYPE", "14A", array=np.array(types)),
        fits.Column("MEMPRSNT", "L", array=np.array(present)),
    ]
    table = fits.BinTableHDU.from_columns(columns, name="ASN")
    table.header["EXTVER"] = 1
    fits.HDUList([primary, table]).writeto(path)
    return path
