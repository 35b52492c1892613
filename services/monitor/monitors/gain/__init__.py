"""Modal gain of the FUV detector."""
