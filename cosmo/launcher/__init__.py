"""One-machine mode: real Postgres and Valkey servers from wheels, and the four services, as child
processes.
"""
