"""Count rates of exposures."""
