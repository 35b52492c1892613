"""The ingestor service: from FITS files to table rows."""
