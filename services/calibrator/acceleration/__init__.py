"""CalCOS at several times its speed, byte for byte the same.

Replacements for the few functions that cost the time.

This module itself does not import CalCOS, so that a worker can check its settings;
:mod:`.replacements` does.
"""

from services.calibrator.acceleration.choice import NAMES, left_out

__all__ = ["NAMES", "left_out"]
