"""A simulated observatory: raw COS data and reference files that real CalCOS accepts, with known
truth.
"""
