"""Shifts of FUV spectra."""

from services.monitor.monitors.osm_shifts.declaration import shift_monitor
from services.monitor.monitors.osm_shifts.rules import FUV_RULES

__all__ = ["MONITOR"]

_EXPLANATION = """
OSM1 carries the gratings of the FUV, and both segments see the same one: flashes of FUVA and FUVB
are paired by the nearest time within 2 s, and what they differ by shows the detector, not the
mechanism. A part of the difference is commanded, since FP-POS moves the segments by not quite the
same number of pixels.
"""

MONITOR = shift_monitor("FUV", FUV_RULES, _EXPLANATION)
