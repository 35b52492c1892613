"""Checks of a recipe before the run."""
