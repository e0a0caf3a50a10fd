"""The artifact store: keys, pins, locks, and directories that are whole or not there."""
