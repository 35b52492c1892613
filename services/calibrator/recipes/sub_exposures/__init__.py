"""Sub-exposures: parts of the calibrated events of a run."""
