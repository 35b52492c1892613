"""Writing side of the database: what requests change that no other package does for them."""
