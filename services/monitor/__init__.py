"""The monitor service: the HTTP API and its pages."""
