"""Random faults of every process of ``cosmo up`` while it works, and what must hold at the end."""
