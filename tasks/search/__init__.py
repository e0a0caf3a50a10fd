"""Search for settings: the space of a recipe, samplers that can be repeated, and what a study came to."""
