"""Stim pulses of the FUV detector."""
