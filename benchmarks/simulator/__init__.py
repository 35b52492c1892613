"""How fast the simulated observatory records events."""
