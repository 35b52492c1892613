"""Where spectra land: shifts of the lamp's spectra from their templates."""
