"""A registered model as a folder that transformers alone reads, and the proof that it does."""
