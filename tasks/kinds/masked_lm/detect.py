"""What masked language modelling makes of data that nobody has described: nothing, since any text would do."""

from ...autodetect.proposal import Proposal, Undescribed


def detect(data: Undescribed) -> Proposal | None:
    """None: its recipes are written by hand."""
    return None
