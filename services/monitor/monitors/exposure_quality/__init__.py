"""What headers say of how exposures went."""
