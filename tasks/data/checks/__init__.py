"""Checks: rows in; results of a recipe's expectations, and of what must hold between the parts of a split, out."""
