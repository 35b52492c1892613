"""A complete, self-consistent set of reference files, made from the instrument's truth."""
