"""Regression: a number predicted from a text."""
