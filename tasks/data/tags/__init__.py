"""Tags of words, and the entities that they stand for."""
