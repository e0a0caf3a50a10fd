"""Packages of the extras `clean` and `chat`: a name comes in, the imported module goes out."""

from importlib import import_module
from types import ModuleType

from .errors import DataError


def package(name: str, step: str) -> ModuleType:
    """A module that a cleaning step needs. Raises DataError naming the extra where it is not installed.

    Imported by name, so that a key holds the version of such a package only where the recipe's steps need it
    (`Clean.packages`): installing one changes no key of the others.
    """
    return _imported(name, f"`clean.steps` has {step}, which needs", "clean")


def scorer(name: str) -> ModuleType:
    """A module that scores written texts. Raises DataError naming the extra where it is not installed."""
    return _imported(name, "scoring written texts needs", "chat")


def _imported(name: str, need: str, extra: str) -> ModuleType:
    top = name.partition(".")[0]
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != top:
            raise
        raise DataError(f"{need} the package {top}: pip install 'temper[{extra}]'") from None
