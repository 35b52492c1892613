"""Monitor engine: declaration, inputs, statistics, runs."""
