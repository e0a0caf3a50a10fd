"""What runs: one short file per flow, and the command line."""
