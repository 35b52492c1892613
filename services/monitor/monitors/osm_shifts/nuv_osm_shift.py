"""Shifts of NUV spectra."""

from services.monitor.monitors.osm_shifts.declaration import shift_monitor
from services.monitor.monitors.osm_shifts.rules import NUV_RULES

__all__ = ["MONITOR"]

_EXPLANATION = """
OSM1 sends the light to OSM2, which carries the gratings of the NUV; both may be off. The three
stripes of a spectrum are compared at each flash, B with C and C with A. CalCOS looks for the lamp's
spectrum in a box of each grating, about SEARCH_OFFSET and as wide as XC_RANGE to both sides (WCPTAB
of the exposure), which the figure shows for the time that it was in use.
"""

MONITOR = shift_monitor("NUV", NUV_RULES, _EXPLANATION)
