"""Cost of the four services beside a bare CalCOS run, and latency of events."""
