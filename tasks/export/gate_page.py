"""The report of an export's gate as a page: checks, sizes, times, and the rows whose prediction changed."""

from ..data.escape import markdown
from .gate import GateReport
from .routes import Route


def describe(named: str, route: Route, report: GateReport) -> str:
    """Markdown for Prefect and MLflow."""
    verdict = "passes" if report["passed"] else "is refused"
    lines = [f"# {markdown(named)} as {route.name}: {verdict}", "", power(report), ""]
    lines += ["| check | | seen |", "|---|---|---|"]
    lines += [
        f"| {check['name']} | {'holds' if check['passed'] else '**fails**'} | {markdown(check['seen'])} |"
        for check in report["checks"]
    ]
    if report.get("why"):
        lines += ["", f"The tolerance of {report['tolerance']:g} is a decision: {markdown(report['why'])}"]
    lines += ["", *_sizes(report)]
    if changed := report.get("changed"):
        names = list(changed[0])
        lines += ["", "## Predictions that changed", "", f"| {' | '.join(names)} |", f"|{'---|' * len(names)}"]
        lines += [f"| {' | '.join(markdown(str(row[name])) for name in names)} |" for row in changed]
    if left := report.get("not_quantized"):
        lines += ["", f"Not quantised, since they changed the scores most: {markdown(', '.join(left))}"]
    return "\n".join(lines) + "\n"


def power(report: GateReport) -> str:
    """How many rows were asked, and what share of changed predictions would have been seen."""
    rows, of, left = report["rows"], report["of"], report.get("left_out", 0)
    what = f"All {of:,} test rows" if rows == of else f"{rows:,} of {of:,} test rows, drawn by the recipe's seed"
    if left:
        what, rows = f"{what}, {left:,} of them left out", rows - left
    if not rows:
        return f"{what}: nothing was compared."
    return f"{what}: a change of {min(3 / rows, 1):.2%} of all predictions or more would be seen with 95 % certainty."


def _sizes(report: GateReport) -> list[str]:
    lines = ["| | registered | exported | |", "|---|---:|---:|---:|"]
    lines += [f"| {name} | {first} | {second} | {ratio} |" for name, first, second, ratio in measures(report)]
    return lines


def measures(report: GateReport) -> list[tuple[str, str, str, str]]:
    """Name, registered, exported and their ratio, of sizes and times that the report has."""
    before, after = report["bytes"]["registered"], report["bytes"]["exported"]
    lines = [("size", f"{before / 1e6:,.1f} MB", f"{after / 1e6:,.1f} MB", f"{after / max(before, 1):.0%}")]
    for rows, its in report.get("milliseconds", {}).get("registered", {}).items():
        other = report["milliseconds"]["exported"][rows]
        for quantile in ("p50", "p95"):
            name = f"{quantile}, {rows} row{'s' * (rows != '1')}"
            ratio = f"{its[quantile] / other[quantile]:.2f}× as fast"
            lines.append((name, f"{its[quantile]:.2f} ms", f"{other[quantile]:.2f} ms", ratio))
    if cold := report.get("cold_start"):
        ratio = f"{cold['registered'] / cold['exported']:.2f}× as fast"
        lines.append(("cold start", f"{cold['registered']:.1f} s", f"{cold['exported']:.1f} s", ratio))
    return lines
