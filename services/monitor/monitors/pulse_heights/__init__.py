"""Pulse-height distributions of the FUV detector."""
