"""What a recipe can train: one folder per kind, each behind the protocol of spec.py."""
