"""What image classification makes of data that nobody has described: images with labels."""

from configs.image_starter import ImageStarter
from configs.sources import FileSource

from ...autodetect.images import look_at_images
from ...autodetect.proposal import CERTAIN, Draft, Proposal, Undescribed
from ...data.errors import DataError

PRETRAINED = "classifier"
"""The word by which a person asks for a pretrained net."""


def detect(data: Undescribed) -> Proposal | None:
    """Certain where images were found."""
    located = data.located
    return None if located.rows is None or located.images is None else Proposal(CERTAIN, lambda: _draft(data))


def _draft(data: Undescribed) -> Draft:
    located = data.located
    assert located.rows is not None and located.images is not None
    facts = look_at_images(located.rows, located.images, data.data)
    named = data.text or (data.label and not isinstance(located.source, FileSource))
    if named or data.kind not in (None, PRETRAINED):
        raise DataError(
            f"{data.data}: images have no columns and no kind {data.kind or 'label_word'}; take those options away"
        )
    starter = ImageStarter(
        data.name, data.output, data.path, located.source, facts, "pretrained" if data.kind else "small"
    )
    return Draft(starter)
