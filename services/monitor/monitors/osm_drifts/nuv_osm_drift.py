"""Drift of NUV spectra."""

from services.monitor.monitors.osm_drifts.declaration import drift_monitor

__all__ = ["MONITOR"]

_EXPLANATION = """
OSM1 sends the light to OSM2, which carries the gratings of the NUV: times since the last move of
both are given, and a drift counts as long after a move only where both moved long before.
"""

MONITOR = drift_monitor("NUV", _EXPLANATION)
