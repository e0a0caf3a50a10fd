"""The report of a recipe or a registered model as one HTML file: artifacts of its stages come in, a page goes out."""
