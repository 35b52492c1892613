"""CalCOS in a child process."""
