"""Images: decoding, encoded parts, models, prediction."""
