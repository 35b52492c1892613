"""How spectra creep on the detector after a move of the mechanisms that turn the gratings."""
