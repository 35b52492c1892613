"""Recipes: how a recalibration differs from the default one.

`recipe` has the document and its rules, `keywords` the header keywords that it may set,
`extraction` the numbers of the extraction tables.
"""

from shared.recipes.recipe import Recipe, parse_recipe, recipe_schema

__all__ = ["Recipe", "parse_recipe", "recipe_schema"]
