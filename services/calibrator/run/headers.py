"""Headers of raw files, as far as the calibrator needs them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from astropy.io import fits

from shared.cos.names import parse_name
from shared.cos.reference_names import base_name
from shared.cos.references import FILETYPES, header_keyword, needed_references
from shared.cos.switches import SWITCHES
from shared.errors import PermanentError

__all__ = ["Exposure", "read_exposures", "rewrite_references"]

_RAW = ("rawtag", "rawaccum", "rawacq", "corrtag")
"""Suffixes of files that CalCOS starts from.

Calibrated events are among the inputs only where a recipe has them.
"""


@dataclass(frozen=True)
class Exposure:
    """Raw or calibrated events of one exposure and segment, with the primary header and that of the
    data.
    """

    path: Path
    rootname: str
    suffix: str
    header: fits.Header
    data_header: fits.Header

    @property
    def side(self) -> str:
        """``_a`` or ``_b`` for an FUV segment, empty for the NUV."""
        return self.suffix[-2:] if self.suffix.endswith(("_a", "_b")) else ""

    def text(self, keyword: str) -> str:
        """Return the value of a primary keyword, without the blanks around it.

        Empty where it is absent.

        A calibration switch is in upper case, as CalCOS compares it (``cosutil.getSwitch``).
        """
        value = str(self.header.get(keyword, "")).strip()
        return value.upper() if keyword in SWITCHES else value

    @property
    def algorithm(self) -> str:
        """Algorithm of the extraction; CalCOS takes whatever is not TWOZONE for BOXCAR."""
        return "TWOZONE" if self.text("XTRCTALG") == "TWOZONE" else "BOXCAR"

    def is_set(self, switch: str) -> bool:
        """Return whether a calibration switch is PERFORM."""
        return self.text(switch) == "PERFORM"

    def is_done(self, switch: str) -> bool:
        """Return whether its step is done already: in calibrated events."""
        return self.text(switch) == "COMPLETE"

    def switches(self) -> dict[str, str]:
        """Return every switch that the header has."""
        return {name: self.text(name) for name in SWITCHES if name in self.header}


def read_exposures(folder: Path) -> list[Exposure]:
    """Return the raw science files of a folder.

    Raises
    ------
    PermanentError
        If a file has no extension with data.
    """
    named = [(path, parse_name(path.name)) for path in sorted(folder.glob("*.fits"))]
    return [
        Exposure(path, name.rootname, name.suffix, *_headers(path))
        for path, name in named
        if name.suffix.startswith(_RAW)
    ]


def _headers(path: Path) -> tuple[fits.Header, fits.Header]:
    with fits.open(path) as hdus:
        if len(hdus) < 2:
            raise PermanentError(
                f"{path.name}: there is no extension with data in it; fetch it again"
            )
        return hdus[0].header, hdus[1].header


def rewrite_references(exposures: Iterable[Exposure], names: Mapping[tuple[str, str], str]) -> None:
    """Let staged raw files name their references by ``lref``, and no file outside the run's own
    folder.

    Parameters
    ----------
    exposures
        Staged raw files, changed in place where a reference is given by a path or in another case.
    names
        Names of the references of the run, by keyword and by what a header says
        (`needed_references`).
    """
    for exposure in exposures:
        header = exposure.header
        wanted = {
            header_keyword(header, keyword): f"lref${names[keyword, value]}"
            for keyword, value in needed_references(header).items()
        }
        for keyword in (*FILETYPES, "PHOTTAB", "IMPHTTAB"):  # what no step of this run opens
            if (
                keyword in header
                and keyword not in wanted
                and exposure.text(keyword).upper() not in ("", "N/A")
            ):
                name = base_name(header[keyword])
                wanted[keyword] = f"lref${name}" if name else "N/A"
        changed = {key: value for key, value in wanted.items() if exposure.text(key) != value}
        if changed:
            with fits.open(exposure.path, mode="update") as hdus:
                hdus[0].header.update(changed)
