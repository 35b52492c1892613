"""One-machine mode: real Postgres and Redis-compatible servers from wheels, and the four services, as child processes."""
