"""What the archive service costs and how fast it is."""
