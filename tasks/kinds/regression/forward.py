"""What training asks of a model that predicts a number: a batch in, loss and logits out."""

from torch import Tensor

from ...text.supervision import SupervisedRows


def squared_error(logits: Tensor, labels: Tensor, items: Tensor | int | None) -> Tensor:
    """Sum of squared errors of logits [rows, 1] against numbers [rows], divided by `items`, else by the rows."""
    total = (logits[:, 0].float() - labels.float()).square().sum()
    return total / (len(labels) if items is None else items)


class SupervisedNumbers(SupervisedRows):
    """Sequence classifier with one output; its loss is the squared error against a normalised number."""

    criterion = staticmethod(squared_error)
