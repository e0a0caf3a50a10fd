"""Dialogues: messages, turns and calls in any usual form in; one canonical form out."""
