"""temper pin: a recipe that names branches comes in; the same text with the commits of today goes out."""

from typing import TYPE_CHECKING

import typer

from tasks.data.errors import DataError
from tasks.data.escape import terminal
from tasks.data.sources import hub

from ..hub_revisions import references, rewrite
from .arguments import RecipeFile
from .failures import failures

if TYPE_CHECKING:
    from tasks.data.sources.hub import Kind


def command(recipe: RecipeFile) -> None:
    """Write into a recipe the commits that its branches and tags on the Hub stand for now.

    A run asks what `main` stands for each time, so its result changes when the Hub's content does; a pinned recipe
    stays the same. Only revisions are changed: remarks and layout stay, and the branch is kept as a remark. To move
    on later, write the branch back (`revision: main`) and pin again.

    Example: `temper pin configs/rotten_tomatoes_bert.yaml`
    """
    with failures():
        from configs.load import load_recipe
        from tasks.output import environment_secret

        sources = list(references(load_recipe(recipe)))
        loose = [each for each in sources if not hub.COMMIT.match(each.revision)]
        if loose and hub.offline():
            raise DataError(f"{loose[0].repo}@{loose[0].revision}: HF_HUB_OFFLINE forbids asking which commit that is")
        asked: dict[tuple[str, str, Kind], str] = {}
        for each in loose:
            reference = (each.repo, each.revision, each.kind)
            if reference not in asked:
                token = None if each.token is None else environment_secret(each.token)
                asked[reference] = hub.resolve(*reference, token)
        if loose:
            rewrite(recipe.resolve(), {each: asked[each.repo, each.revision, each.kind] for each in loose})
        for each in sources:
            commit = asked.get((each.repo, each.revision, each.kind))
            change = f"{each.revision} → {commit}" if commit else f"{each.revision}, as before"
            typer.echo(terminal(f"  {'.'.join(each.keys)}: {each.kind} {each.repo}  {change}"))
        typer.echo(terminal(f"{len(loose)} pinned in {recipe}" if loose else f"nothing to pin in {recipe}"))
