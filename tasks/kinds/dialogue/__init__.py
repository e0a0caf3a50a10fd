"""Dialogue: the turns of a chat model, with calls of tools."""
