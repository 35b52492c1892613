"""Sphinx configuration."""

project = "COSMO"
author = "The COSMO developers"
extensions: list[str] = []
html_theme = "alabaster"
exclude_patterns = ["_build"]
