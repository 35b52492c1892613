"""Science Mission Schedule (SMS) reports: the plan of COS for a week.

Two layouts exist: before 2012 with a named state of the high voltage, since then with its levels
and the position of the aperture.
"""

import re
from collections.abc import Iterator

from services.ingestor.extractors.declaration import Extractor
from services.ingestor.extractors.rows import Rows, Source
from services.ingestor.extractors.unreadable import Unreadable
from shared.cos.dates import parse_day_of_year
from shared.cos.names import REPORT_ID, parse_name
from shared.database.models.science import ScheduledExposure
from shared.errors import PermanentError
from shared.fits.streams import reading

__all__ = ["EXTRACTORS", "extract_schedule"]

_LARGEST = 16 << 20
_HEADING = 6
"""Lines of a report before its exposures."""

_TITLE = re.compile(r"COS Exposure Report: SMS (\w+)")
_NO_EXPOSURE = ("MEMORY", "ALIGN/OSM", "ALIGN/APER")
_EXPOSURE = re.compile(
    r"(?P<rootname>\w{8}) +(?P<proposid>\d{1,5}) (?P<target>.{10}) (?P<exposure>\w{3} \w{2} "
    r"\w{2}(?: \w{2})?)"
    r" +(?P<detector>FUV|NUV) +(?P<opmode>[A-Z]\S*) +(?P<exptime>\d+\.\d+)"
    r" (?P<expstart>\d{4}\.\d{3}:\d\d:\d\d:\d\d) (?P<fuvhvstate>\S+| {6,7})"
    r" +(?P<aperture>\S+)(?: (?P<aperture_position>\S)(?= ))? +(?P<osm1pos>\S+) +(?P<osm2pos>\S+)"
    r" +(?P<cenwave>\d+) +(?P<fpoffset>-?\d) +(?P<tsinceosm1>\d+) +(?P<tsinceosm2>\d+)(?= "
    r"|$)(?P<rest>.*)",
    re.ASCII,
)
"""Line of an exposure; modes, states, apertures and mirrors are any word."""

_FLASHES = re.compile(r" (?P<flashes>\d+) +(?P<duration>\d+) [A-Z]")


def extract_schedule(source: Source) -> Rows:
    """Return the rows of ``sms``, one for each exposure; unreadable lines are noted.

    Raises
    ------
    PermanentError
        If it is no report, or not the one that its name says, or none of its lines can be read.
    """
    report = parse_name(source.name).rootname
    with reading(source.name), source.opener() as stream:
        content = stream.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise PermanentError(
            f"{source.name}: more than {_LARGEST >> 20} MB; no report is that long"
        )
    lines = content.decode("ascii", "replace").splitlines()
    title = next(
        (found[1].lower() for line in lines[:_HEADING] if (found := _TITLE.match(line.strip()))),
        None,
    )
    if title != report:
        raise PermanentError(
            f"{source.name}: its title names the report {title or '(none)'}, not {report}"
        )
    common = {"report": report, "sms_id": report[:REPORT_ID], "version": report[REPORT_ID:]}
    unreadable = Unreadable("line", "exposure of an SMS report")
    rows = [{**common, **row} for row in _exposures(lines, unreadable)]
    unreadable.report(source, len(rows))
    return Rows(ScheduledExposure, rows)


def _exposures(lines: list[str], unreadable: Unreadable) -> Iterator[dict[str, object]]:
    for number, line in enumerate(lines[_HEADING:], start=_HEADING + 1):
        if not line.strip(" -") or any(word in line for word in _NO_EXPOSURE):
            continue
        found = _EXPOSURE.fullmatch(line.rstrip())
        if found is None or not found[0].isprintable():
            unreadable.add(number, repr(line.rstrip()))
            continue
        try:
            row = _row(found)
        except PermanentError as error:
            unreadable.add(number, str(error))
        else:
            yield row


def _row(found: re.Match[str]) -> dict[str, object]:
    flashes = _FLASHES.search(found["rest"])
    return {
        "rootname": f"{found['rootname'].lower()}q",
        "exposure": found["exposure"].replace(" ", ""),
        "proposid": int(found["proposid"]),
        "target": found["target"].strip(),
        "detector": found["detector"],
        # The schedule abbreviates where the data do not.
        "opmode": {"ACQ/PKD-XD": "ACQ/PEAKXD"}.get(found["opmode"], found["opmode"]),
        "exptime": float(found["exptime"]),
        "expstart": parse_day_of_year(found["expstart"]),
        "fuvhvstate": found["fuvhvstate"].strip() or None,
        "aperture": found["aperture"],
        "aperture_position": found["aperture_position"],
        "osm1pos": _position(found["osm1pos"]),
        "osm2pos": _position(found["osm2pos"]),
        "cenwave": int(found["cenwave"]),
        "fppos": int(found["fpoffset"]) + 3,
        "tsinceosm1": float(found["tsinceosm1"]),
        "tsinceosm2": float(found["tsinceosm2"]),
        "flashes": int(flashes["flashes"]) if flashes else None,
        "flash_duration": float(flashes["duration"]) if flashes else None,
    }


def _position(text: str) -> str | None:
    return text if text.strip("-") else None


EXTRACTORS = (
    Extractor(table=ScheduledExposure, suffixes=("sms",), extract=extract_schedule, fits=False),
)
