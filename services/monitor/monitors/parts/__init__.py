"""What monitors of one family share."""
