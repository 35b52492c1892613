"""The instrument as it truly is: what the forward model bends and what the reference files
describe.
"""
