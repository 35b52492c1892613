"""The front door of COSMO: command line, one-machine launcher, Python client of the HTTP API."""
