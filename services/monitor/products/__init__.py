"""Contents of stored FITS files: spectra, light curves, images."""
