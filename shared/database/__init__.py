"""The one Postgres database: models, sessions and migrations."""
