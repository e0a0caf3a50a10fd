"""Tracking: MLflow runs, registered models and promotion. The only importer of mlflow."""
