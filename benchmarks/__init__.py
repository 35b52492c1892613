"""Benchmarks on real input."""
