"""A recipe that is searched: its file and changes come in; the recipes of its trials go out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from configs.load import RecipeError, load_recipe
from configs.schema import Recipe
from configs.search import Search


@dataclass(frozen=True)
class Subject:
    """A recipe that is searched: its file, the changes of the command line, and what became of them."""

    path: Path
    changes: tuple[str, ...]
    recipe: Recipe

    @property
    def search(self) -> Search:
        """The section. Raises RecipeError where the recipe has none."""
        if self.recipe.search is None:
            raise RecipeError(f"{self.path}: no section `search`, which names the keys to try (docs/guides/search.md)")
        return self.recipe.search

    @property
    def objective(self) -> str:
        """The validation score that is searched for."""
        return self.search.objective or self.recipe.train.metric

    def with_values(self, overrides: Sequence[str]) -> Recipe:
        """The recipe of a trial. Raises RecipeError."""
        return load_recipe(self.path, [*self.changes, *overrides])


def read_subject(path: Path, changes: Sequence[str]) -> Subject:
    """The recipe to search, each value of its space tried on its own. Raises RecipeError."""
    from tasks.search.samplers import sampler_of
    from tasks.search.space import overrides

    subject = Subject(path, tuple(changes), load_recipe(path, changes))
    search = subject.search
    if subject.recipe.split.validation in (0, "none"):
        raise RecipeError(f"{path}: a search needs validation rows, of which split leaves none")
    sampler_of(search)
    for key, dimension in search.space.items():
        if not dimension.when:
            for value in dimension.choices or (dimension.low, dimension.high):
                subject.with_values(overrides(search, {key: value}))
    return subject
