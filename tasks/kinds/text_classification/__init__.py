"""Text classification, by a head or by label words."""
