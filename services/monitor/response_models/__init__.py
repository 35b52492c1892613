"""Shapes of the API's JSON answers, one module per resource.

They import pydantic and the standard library alone, so that clients can read answers with them;
queries return them as their records.
"""
