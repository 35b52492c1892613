"""Scale: what the database, the events and an idle stack cost as they grow."""
