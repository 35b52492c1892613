"""What two monitors or more use."""
