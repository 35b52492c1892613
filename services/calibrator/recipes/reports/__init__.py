"""Reports of a run with a recipe, and its export."""
