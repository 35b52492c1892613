"""Documentation, and what makes its reference pages and pictures from the code."""
