"""The archive service: which datasets exist, which are missing or stale; fetches them."""
