"""Packages of the extra `clean`: a name comes in, the imported module goes out."""

from importlib import import_module
from types import ModuleType

from .files import DataError


def package(name: str, step: str) -> ModuleType:
    """A module that a cleaning step needs. Raises DataError naming the extra where it is not installed.

    Imported by name, so that a key holds the version of such a package only where the recipe's steps need it
    (`Clean.packages`): installing one changes no key of the others.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != name.partition(".")[0]:
            raise
        raise DataError(
            f"`clean.steps` has {step}, which needs the package {name.partition('.')[0]}: pip install 'temper[clean]'"
        ) from None
