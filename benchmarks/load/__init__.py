"""Load: every endpoint of the monitors under concurrent readers, with a full mission behind it."""
