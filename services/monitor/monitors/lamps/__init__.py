"""Lamps of the wavelength calibration: how bright they are, and how long they have burnt."""
