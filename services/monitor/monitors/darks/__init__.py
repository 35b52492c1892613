"""Dark rates of both detectors, in time and over the orbit."""
