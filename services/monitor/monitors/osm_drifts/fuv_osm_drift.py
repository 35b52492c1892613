"""Drift of FUV spectra."""

from services.monitor.monitors.osm_drifts.declaration import drift_monitor

__all__ = ["MONITOR"]

_EXPLANATION = """
The gratings of the FUV are on OSM1; OSM2 is not in the way of their light.
"""

MONITOR = drift_monitor("FUV", _EXPLANATION)
