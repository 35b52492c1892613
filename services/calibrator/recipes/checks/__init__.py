"""What a recipe is checked for before the run."""
