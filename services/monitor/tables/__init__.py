"""Any table of the database, filtered and sorted, as JSON or as a file."""
