"""Inference over files: rows or images come in; a registered model's predictions go out, also after a kill."""
