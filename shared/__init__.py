"""What the services have in common.

Settings, errors, the database, jobs and events, the broker, the file store.
"""
