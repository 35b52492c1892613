"""Edits of a recipe: headers, tables, arguments."""
