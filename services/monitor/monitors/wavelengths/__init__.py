"""The wavelength scale: where lines of known wavelength lie."""
