"""Autodetection: a file or folder that nobody has described comes in; what `temper init` can say about it goes out."""
