"""Text: segments and labels, tokenizers, collation, the mask certificate, models and prediction.

Modules that a registered model carries along (segments, encoding, tokenizer, collation, predictor) import one
another relatively and nothing else of this project.
"""
