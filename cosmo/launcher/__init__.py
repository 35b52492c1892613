"""One-machine mode: Postgres, Valkey and the four services as child processes."""
