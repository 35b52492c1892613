"""Common parts of the services.

Settings, errors, the database, jobs and events, the broker, the file store.
"""

__version__ = "0.1.0"
