"""A simulated mission of years through the real services, and what the monitors recover of its
truth.
"""
