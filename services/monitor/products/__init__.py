"""What is read from stored FITS files: spectra, light curves, images."""
