"""An example of a kind: texts read from their last word to the first, and classified by a head."""
