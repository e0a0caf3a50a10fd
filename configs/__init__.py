"""Recipes: what a person writes (YAML) comes in, a typed `Recipe` goes out."""
