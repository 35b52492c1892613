"""Gain sag tables (GSAGTAB)."""
