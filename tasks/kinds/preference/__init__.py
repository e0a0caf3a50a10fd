"""Preference: a dialogue model that learns from a better and a worse reply to each prompt (DPO)."""
