"""Encoded rows for people."""

from ...text.token_view import open_view

__all__ = ["open_view"]
