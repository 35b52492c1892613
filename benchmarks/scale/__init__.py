"""What grows with the archive: scans, queries of 341,000 datasets, events, and a whole cluster."""
