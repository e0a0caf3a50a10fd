"""Rows: sources, tables, expectations, cleaning, splitting and the row ledger."""
