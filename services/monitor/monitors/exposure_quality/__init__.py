"""Quality of exposures by their headers."""
