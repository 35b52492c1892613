"""What every monitor is made of: declaration, inputs, statistics, runs."""
