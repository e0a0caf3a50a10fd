"""Servers, workers, child processes and databases, and recovery after a crash."""
