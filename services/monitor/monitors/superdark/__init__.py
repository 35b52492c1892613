"""Superdarks, hot spots and low response."""
