"""finetune: one recipe comes in, one registered model goes out."""

from prefect import flow

from configs.schema import Recipe
from tasks.artifact import Version
from tasks.clean import clean
from tasks.download import download
from tasks.encode import encode
from tasks.evaluate import evaluate
from tasks.register import register
from tasks.split import split
from tasks.train import train
from tasks.validate import validate

from .drift import tell_drift
from .hooks import watched
from .teachers import require_unseen


@flow(name="finetune", flow_run_name="{recipe.name}", persist_result=False, **watched(tell_drift))
def finetune(recipe: Recipe) -> Version:
    """Turn a recipe into a registered model; every stage that has been done is served from the cache."""
    raw = download(recipe.download)
    checked = validate(recipe.validate, raw)
    rows = clean(recipe.clean, checked)
    splits = split(recipe.split, rows)
    require_unseen(recipe, splits)
    encoded = encode(recipe.encode, splits)
    model = train(recipe.train, encoded, splits)
    report = evaluate(recipe.evaluate, model, encoded, splits)
    return register(recipe.register, model, report)
