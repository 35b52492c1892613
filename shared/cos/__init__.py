"""The vocabulary of COS: names, suffixes, keywords."""
