"""Everything over HTTP: the application, its API and its pages."""
