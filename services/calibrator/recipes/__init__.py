"""Recipes at work: from raw files and a recipe to edited raw files, CalCOS's arguments, and what to
warn of.
"""
