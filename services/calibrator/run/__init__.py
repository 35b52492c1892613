"""One calibration, from staged files to packed products."""
