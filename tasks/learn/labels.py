"""Labels of positions: the one that carries no loss, as PyTorch's cross entropy skips it."""

IGNORE_INDEX = -100
