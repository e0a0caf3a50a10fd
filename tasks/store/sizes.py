"""Numbers of bytes as people read them."""

UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def in_bytes(size: float) -> str:
    """A number of bytes as a person reads it: 12 B, 4.5 MiB."""
    unit = 0
    while size >= 1024 and unit < len(UNITS) - 1:
        size, unit = size / 1024, unit + 1
    return f"{size:,.1f} {UNITS[unit]}" if unit else f"{size:.0f} B"
