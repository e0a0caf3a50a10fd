"""The pipeline's stages (files) and the domain code they call (folders)."""
