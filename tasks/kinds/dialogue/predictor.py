"""The predictor of a registered dialogue model, which lies next to the chat templates that it shares."""

from ...text.chat.predictor import Predictor

__all__ = ["Predictor"]
