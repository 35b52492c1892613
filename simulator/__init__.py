"""A simulated observatory.

Raw COS data and reference files that real CalCOS accepts, with known truth.
"""
