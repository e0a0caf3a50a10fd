"""Where images come from: kinds of `download` in a recipe."""

import re
from typing import Literal

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from .fields import STRICT
from .secrets import Address, Name, Sha256, refuse_secrets


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ImagesSource:
    """Image files in a folder or a zip or tar archive, labelled by their folder or by a pattern on their path."""

    kind: Literal["images"]
    """This kind of source."""
    path: str | None = None
    """The folder or archive, an .npz file, or a folder with .npy files: arrays of pixels and of labels, by their names
    (x_train and y_train, images and labels); a relative path starts at TEMPER_DATA."""
    url: Address | None = None
    """Address of an archive, in place of `path`."""
    sha256: Sha256 | None = None
    """Checksum that the archive at `url` must have."""
    token: Name | None = None
    """Environment variable, or else Prefect Secret block, with a bearer token for that host; never the token itself."""
    pattern: str | None = None
    """Regular expression, searched in each path inside, with the group `label` and maybe `split` and `group`;
    when absent, the label is the name of the folder in which a file lies."""
    split_folders: bool = False
    """Whether folders that name a part (train, Training, val, dev, seg_test, holdout, …) give the split of all files
    below them."""
    label_names: dict[str, str] = Field(default_factory=dict)
    """Label as found to label as used; where there is any, every label found must be among them."""
    label_map: dict[str, str] = Field(default_factory=dict)
    """Spelling of a label to the label that is meant, such as `{Cat: cat}`; others stay."""

    @model_validator(mode="after")
    def _coherent(self) -> "ImagesSource":
        if (self.path is None) == (self.url is None):
            raise ValueError("give either `path` or `url`")
        if (self.url is None) != (self.sha256 is None):
            raise ValueError("`url` and `sha256` are given together")
        if self.token is not None and self.url is None:
            raise ValueError("token is read only with `url`")
        if self.label_names and self.label_map:
            raise ValueError("label_names and label_map exclude each other: name all labels, or only what to fix")
        if self.pattern is not None:
            _check_pattern(self.pattern, self.split_folders)
        refuse_secrets(self.url or "", self.token)
        return self


@dataclass(frozen=True, kw_only=True, config=STRICT)
class TorchvisionSource:
    """An image data set that torchvision knows, with its own mirrors, checksums and split."""

    kind: Literal["torchvision"]
    """This kind of source."""
    name: Literal["MNIST", "FashionMNIST", "KMNIST", "CIFAR10", "CIFAR100", "SVHN", "USPS"]
    """Which data set."""
    path: str | None = None
    """Folder with its files (the MNIST family: four idx files, gzipped or not), so that nothing is downloaded."""


def _check_pattern(pattern: str, split_folders: bool) -> None:
    try:
        groups = re.compile(pattern).groupindex
    except re.error as error:
        raise ValueError(f"pattern is no regular expression: {error}") from None
    if odd := sorted(groups.keys() - {"label", "split", "group"}):
        raise ValueError(f"pattern has a group {odd[0]!r}; those that are read are label, split and group")
    if "label" not in groups:
        raise ValueError("pattern needs a group for the label, such as (?P<label>[^/]+)")
    if split_folders and "split" in groups:
        raise ValueError("split_folders and a group `split` in pattern exclude each other")
