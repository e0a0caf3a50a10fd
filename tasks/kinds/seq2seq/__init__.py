"""Sequence to sequence: a text written from a text."""
