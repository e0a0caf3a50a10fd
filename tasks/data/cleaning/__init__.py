"""Cleaning: rows in; the rows that an ordered list of steps leaves, and the dropped ones with their reasons, out."""
