"""Choose the reference files of an exposure, and write them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from astropy.io import fits

from simulator.instrument.modes import FUV_GRATINGS, GRATINGS, LIFETIME_POSITIONS
from simulator.plan import ExposurePlan
from simulator.references import detector, spectra
from simulator.references.keys import KINDS, Key
from simulator.references.writing import write

__all__ = ["Catalogue", "all_keys"]

_FUV_DETECTOR = (
    "FLATFILE",
    "DEADTAB",
    "BPIXTAB",
    "SPOTTAB",
    "GSAGTAB",
    "BRFTAB",
    "GEOFILE",
    "DGEOFILE",
    "XWLKFILE",
)
_FUV_COMMON = (*_FUV_DETECTOR, "YWLKFILE", "PHATAB", "BADTTAB", "BRSTTAB", "HVDSTAB")
_NUV_COMMON = ("FLATFILE", "DEADTAB", "BPIXTAB", "BADTTAB")
_FUV_SPECTRA = ("TRACETAB", "PROFTAB", "TWOZXTAB")
_SPECTRA = ("XTRACTAB", "LAMPTAB", "DISPTAB", "FLUXTAB", "TDSTAB", "SPWCSTAB", "WCPTAB")


def _keywords(detector_name: str, imaging: bool) -> tuple[str, ...]:
    if detector_name == "FUV":
        return (*_FUV_COMMON, *_FUV_SPECTRA, *_SPECTRA)
    return (
        (*_NUV_COMMON, "XTRACTAB", "LAMPTAB", "DISPTAB", "WCPTAB")
        if imaging
        else (*_NUV_COMMON, *_SPECTRA)
    )


def _life_positions(detector_name: str) -> tuple[int, ...]:
    return tuple(LIFETIME_POSITIONS) if detector_name == "FUV" else (1,)


def all_keys() -> list[Key]:
    """Return all reference files of the first version."""
    keys = []
    for name in ("FUV", "NUV"):
        for keyword in _keywords(name, False):
            selection = KINDS[keyword].selection
            for life_adj in _life_positions(name) if selection else (0,):
                if "cenwave" in selection:
                    for grating in FUV_GRATINGS:
                        keys += [
                            Key(keyword, name, life_adj, grating, c)
                            for c in GRATINGS[grating].cenwaves
                        ]
                else:
                    keys.append(Key(keyword, name, life_adj))
    return keys


class Catalogue:
    """The reference files in force.

    Parameters
    ----------
    bad_times
        Intervals in MJD that the bad-time table names.
    revised
        Keywords whose files are of the second version.
    """

    def __init__(
        self, bad_times: Sequence[tuple[float, float]] = (), revised: Iterable[str] = ()
    ) -> None:
        self._bad_times = tuple(bad_times)
        self._revised = frozenset(revised)

    def current(self, key: Key) -> Key:
        """Return the version of a file that is in force."""
        version = 2 if key.keyword in self._revised else 1
        content = repr(self._bad_times) if key.keyword == "BADTTAB" and self._bad_times else ""
        return replace(key, version=version, content=content)

    def revise(self, keywords: Iterable[str]) -> "Catalogue":
        """Make a catalogue in which the files of some keywords are of the second version."""
        return Catalogue(self._bad_times, self._revised | set(keywords))

    def select(self, plan: ExposurePlan) -> Mapping[str, Key]:
        """Return the files of an exposure, by keyword."""
        chosen = {}
        for keyword in _keywords(plan.detector, plan.obstype == "IMAGING"):
            selection = KINDS[keyword].selection
            life_adj = (
                plan.life_adj if selection and plan.detector == "FUV" else int(bool(selection))
            )
            mode = (plan.opt_elem, plan.cenwave) if "cenwave" in selection else ("", 0)
            chosen[keyword] = self.current(Key(keyword, plan.detector, life_adj, *mode))
        return chosen

    def make(self, key: Key) -> fits.HDUList:
        """Return the content of a file."""
        if key.keyword == "BADTTAB":
            return detector.bad_time_table(key, self._bad_times)
        maker = detector.MAKERS.get(key.keyword) or spectra.MAKERS[key.keyword]
        return maker(key)

    def write(self, folder: Path, keys: Iterable[Key]) -> list[str]:
        """Write the files that are not there yet, gzipped.

        Parameters
        ----------
        folder
            Where to.
        keys
            Which.

        Returns
        -------
        list of str
            Names of all of them, without ``.gz``.
        """
        folder.mkdir(parents=True, exist_ok=True)
        names = []
        for key in dict.fromkeys(keys):
            names.append(key.name)
            if not (folder / f"{key.name}.gz").exists():
                write(self.make(key), folder / key.name)
        return names
