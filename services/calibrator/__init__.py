"""The calibrator service: CalCOS runs in child processes of a warm template."""
