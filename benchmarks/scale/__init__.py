"""What grows with the archive: its scans, queries of 341,000 datasets, and a cluster of services."""
