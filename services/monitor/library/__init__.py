"""Library of what two monitors or more use."""
