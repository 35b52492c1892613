"""What a run with a recipe says of itself, and its export."""
