"""Worker processes: broker, wake-ups, readiness, health, metrics."""
