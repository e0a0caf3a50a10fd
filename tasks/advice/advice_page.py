"""What advice came to, in words and tables: for the terminal, Prefect's page and a recipe's remarks."""

from tasks.data.escape import markdown

from .advice_document import Advice, Round, Score

LABELS = 6
"""Labels that are named with their rows."""
WORDS = {
    "head": "train the head alone, every loaded weight frozen",
    "partial": "train the head and the later half of the body, the earlier half frozen",
    "full": "train everything, from the loaded weights",
    "scratch": "train everything, from new weights",
}
"""What each candidate is, as a recommendation."""
Lines = list[tuple[str, str, str]]
"""Name, value, and how to read it."""


def measured(advice: Advice) -> Lines:
    """The measures of the frozen features, each with how to read it."""
    scores = advice["measures"]
    probe, leep = scores["probe"], scores["leep"]
    lines = [
        ("rows per class", f"{advice['training_rows'] / len(advice['per_class']):,.0f}", _labels(advice["per_class"])),
        ("LogME", f"{scores['logme']:.4f}", f"{scores['logme_chance']:.4f} with shuffled labels; greater is better"),
        (
            "H-score",
            f"{scores['h_score_shrunk']:.4f}",
            f"{scores['h_score_chance']:.4f} with shuffled labels, at most {scores['h_score_most']}",
        ),
    ]
    if leep is not None:
        lines.append(("LEEP", f"{leep:.4f}", f"{scores['leep_of_shares']:.4f} if its classes knew nothing; at best 0"))
    reading = f"{_interval(probe)} accuracy; commonest class {scores['majority']:.4f}"
    return [*lines, ("linear probe", f"{probe['value']:.4f}", reading)]


def _labels(per_class: dict[str, int]) -> str:
    some = [f"{label} {rows:,}" for label, rows in list(per_class.items())[:LABELS]]
    rest = len(per_class) - len(some)
    return ", ".join(some) + (f" and {rest} more, the rarest {min(per_class.values()):,}" if rest else "")


def _interval(score: Score) -> str:
    return "" if score["low"] is None else f"[{score['low']:.4f}, {score['high']:.4f}]"


def raced(advice: Advice) -> tuple[list[str], list[list[str]]]:
    """The race as a table: its heads, and a row for each candidate, with the score and the accuracy of each round."""
    rounds = [*advice["rounds"], *([advice["full"]] if advice["full"] else [])]
    heads = ["candidate", *(f"{each['epochs']} epochs" for each in rounds)]
    names = [result["candidate"] for result in rounds[0]["results"]]
    return heads, [[name, *(_cell(each, name, advice["objective"]) for each in rounds)] for name in names]


def _cell(each: Round, name: str, objective: str) -> str:
    result = next((result for result in each["results"] if result["candidate"] == name), None)
    if result is None:
        return ""
    if result["value"] is None:
        return "failed"
    accuracy = "" if objective == "accuracy" else f" ({result['accuracy']:.4f})"
    return f"{result['value']:.4f}{accuracy}"


def race_title(advice: Advice) -> str:
    """What the race's table shows."""
    objective = advice["objective"]
    shown = "" if objective == "accuracy" else " (accuracy)"
    return f"race by validation {objective}{shown} on {advice['validation_rows']:,} rows, seed {advice['seed']}"


def failures(advice: Advice) -> list[str]:
    """A line for each candidate that failed."""
    results = [result for each in advice["rounds"] for result in each["results"]]
    return [f"{result['candidate']} failed: {result['reason']}" for result in results if result["reason"]]


def expected(advice: Advice) -> str:
    """The gain of the recommendation, in a sentence that states chance where it may be chance."""
    gain, objective = advice["gain"], advice["objective"]
    if gain is None:
        return "no other candidate was left to compare it with"
    better = "lower" if objective == "loss" else "higher"
    amount = f"validation {objective} {better} by {gain['mean']:.4f} than {gain['over']}"
    if gain["low"] is None:
        return f"{amount}, without an interval: too few rows bear on it"
    bounds = f"{amount}, {advice['confidence']:.0%} interval [{gain['low']:.4f}, {gain['high']:.4f}]"
    return bounds if gain["decided"] else f"{bounds}: not better than chance"


def agreement(advice: Advice) -> str:
    """Whether the race led where training all candidates leads; empty where they were not all trained."""
    full = advice["full"]
    if full is None:
        return ""
    same = "the same" if advice["full_best"] == advice["best"] else f"not the same: {advice['full_best']}"
    return f"best of all candidates after {full['epochs']} epochs: {same}"


def recommendation(advice: Advice) -> str:
    """What to do, in words."""
    return f"{advice['best']}: {WORDS[advice['best']]}"


def page(advice: Advice) -> str:
    """All of it as markdown."""
    heads, rows = raced(advice)
    lines = [
        f"# advise: {recommendation(advice)}",
        "",
        *(f"- `{change}`" for change in advice["changes"]),
        "",
        f"Expected: {markdown(expected(advice))}.",
        "",
        "| frozen features | | |",
        "|---|---:|---|",
        *(f"| {name} | {value} | {markdown(reading)} |" for name, value, reading in measured(advice)),
        "",
        f"{race_title(advice)}:",
        "",
        f"| {' | '.join(heads)} |",
        f"|---|{'---:|' * (len(heads) - 1)}",
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
        *(f"- {markdown(line)}" for line in [*failures(advice), agreement(advice)] if line),
        "",
        "What would change the advice:",
        "",
        *(f"- {markdown(line)}" for line in advice["would_change"]),
    ]
    return "\n".join(lines)


def remarks(advice: Advice) -> list[str]:
    """The evidence as remarks of a recipe, a line each."""
    heads, rows = raced(advice)
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in [heads, *rows]]
    return [
        f"Advised by `temper advise`: {recommendation(advice)}.",
        f"Expected: {expected(advice)}.",
        *(f"  {name}: {value} ({reading})" for name, value, reading in measured(advice)),
        f"{race_title(advice)}:",
        *(f"  {line.rstrip()}" for line in table),
        "What would change the advice:",
        *(f"  {line}" for line in advice["would_change"]),
    ]
