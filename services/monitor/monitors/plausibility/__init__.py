"""Values that are not believed."""
