"""Advice on what to train: measures of frozen features, a race of freezing strategies, and what both come to."""
