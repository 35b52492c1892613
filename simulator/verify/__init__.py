"""Injection and recovery: simulate, calibrate with CalCOS, and compare with what was put in."""
