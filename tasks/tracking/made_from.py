"""What a registered version was made of, for machines that did not make it."""

from mlflow.exceptions import MlflowException

from configs.settings import settings

from ..artifact import StageError
from . import runs
from .wire_format import CHAMPION, STAGE_DIGEST


def digests_of(model: str) -> tuple[str, dict[str, str]]:
    """A version in words, and the digest of each stage's artifact behind it; model: NAME (its champion), NAME@alias or
    NAME/version. Raises StageError where there is no such version, or Temper did not register it."""
    client = runs.client()
    name, _, number = model.partition("/")
    name, _, alias = name.partition("@")
    try:
        if number:
            version = client.get_model_version(name, number)
        else:
            version = client.get_model_version_by_alias(name, alias or CHAMPION)
    except MlflowException as error:
        raise StageError(f"{model} is not in {settings().shown_tracking}: {str(error).splitlines()[0]}") from None
    tags = version.tags.items()
    digests = {tag.removeprefix(STAGE_DIGEST): value for tag, value in tags if tag.startswith(STAGE_DIGEST)}
    if not digests:
        raise StageError(f"{name} version {version.version} names no artifacts: it was not registered by Temper")
    return f"{name} version {version.version}", digests
