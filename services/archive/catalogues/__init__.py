"""Catalogues: archives of HST data that say which datasets and files they have."""
