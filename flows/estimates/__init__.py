"""What a run will take: time, peak memory and disk per stage as low, expected and high."""
