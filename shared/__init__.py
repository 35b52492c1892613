"""What the services have in common: settings, errors, the database, jobs and events, the broker,
the file store.
"""
