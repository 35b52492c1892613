"""The forward model: from a target, a lamp and the background to what the detector records."""
