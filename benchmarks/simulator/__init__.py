"""Speed at which the simulated observatory records events."""
