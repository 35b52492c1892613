"""A mission: a schedule over years, the data that it makes, and the truth beside them."""
