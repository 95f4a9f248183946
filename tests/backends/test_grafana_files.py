"""The files of examples/grafana against Grafana's published types, and every TraceQL query against its grammar."""

import json
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from backends.environments import node_modules

pytestmark = [pytest.mark.backends, pytest.mark.debian]
ROOT = Path(__file__).parents[2]
GRAFANA = ROOT / "examples" / "grafana"
HERE = Path(__file__).parent / "grafana"
OPTIONS = ("--noEmit", "--strict", "--target", "es2022", "--module", "preserve", "--moduleResolution", "bundler")


def dashboard() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((GRAFANA / "dashboards" / "agent-eval.json").read_text())
    return document


def alerts() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((GRAFANA / "provisioning/alerting/tempo-alerts.yaml").read_text())
    return document


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder in which Grafana's packages can be imported."""
    (tmp_path / "node_modules").symlink_to(node_modules())
    for name in ("published.ts", "parse.js", "package.json"):
        (tmp_path / name).write_text((HERE / name).read_text())
    return tmp_path


def type_errors(folder: Path, **values: tuple[str, Any]) -> list[str]:
    """Check values against types of published.ts, each a pair of the type's name and what it should be."""
    names = ", ".join(sorted({kind for kind, _ in values.values()}))
    lines = [f'import type {{ {names} }} from "./published";']
    lines += [f"export const {name}: {kind} = {json.dumps(value, indent=1)};" for name, (kind, value) in values.items()]
    (folder / "check.ts").write_text("\n".join(lines))
    command = ["node", "node_modules/typescript/bin/tsc", *OPTIONS, "check.ts"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=110)
    return [line for line in done.stdout.splitlines() if "error TS" in line] or [done.stderr] * (done.returncode != 0)


def test_the_dashboard_and_the_alerts_are_of_the_published_types(folder: Path) -> None:
    assert type_errors(folder, board=("Dashboard", dashboard()), rules=("Provisioned", alerts())) == []


def test_what_is_misspelt_is_not_of_the_published_types(folder: Path) -> None:
    """One fault a value, so that each must be found: else the check above could not fail."""
    places = [
        ('"schemaVersion": 36', '"schemaVersion": "36"'), ('"legendFormat"', '"legendFormatt"'),
        ('"displayMode": "list"', '"displayMode": "lisst"'), ('"type": "timeseries"', '"type": "timeserie"'),
        ('"unit": "percentunit"', '"units": "percentunit"'), ('"format": "heatmap"', '"format": "heatmapp"'),
    ]  # fmt: skip
    text = json.dumps(dashboard())
    assert all(right in text for right, _ in places)
    wrong = {f"v{n}": ("Dashboard", json.loads(text.replace(*place))) for n, place in enumerate(places)}
    rules = json.loads(json.dumps(alerts()).replace('"reducer": "last"', '"reducer": "lust"'))
    errors = "\n".join(type_errors(folder, **wrong, rules=("Provisioned", rules)))
    lines = (folder / "check.ts").read_text().splitlines()
    starts = [number for number, line in enumerate(lines, 1) if line.startswith("export")]
    found = {int(number) for number in re.findall(r"check\.ts\((\d+),", errors)}
    for start, end in zip(starts, [*starts[1:], len(lines) + 1], strict=True):
        assert any(start <= number < end for number in found), lines[start - 1]


def unparsed(folder: Path, queries: Iterable[str]) -> list[Any]:
    """Return what the grammar does not take, with the place."""
    done = subprocess.run(
        ["node", "parse.js"], cwd=folder, input=json.dumps(list(queries)), capture_output=True, text=True, check=True,
        timeout=60,
    )  # fmt: skip
    found: list[Any] = json.loads(done.stdout)
    return found


def traceql() -> set[str]:
    """Return every TraceQL query: of dashboard, Grafana's and Prometheus' alerts, runbooks and documentation."""
    panels = [target for panel in dashboard()["panels"] for target in panel.get("targets", ())]
    models = [query["model"] for group in alerts()["groups"] for rule in group["rules"] for query in rule["data"]]
    found = {entry["query"].replace("$service", ".*") for entry in (*panels, *models) if "query" in entry}
    rules = yaml.safe_load((ROOT / "examples/prometheus/rules/agent-eval-alerts.yml").read_text())
    for rule in rules["groups"][0]["rules"]:
        link = re.sub(r"\{\{.*?\}\}", "shop", rule["annotations"]["query_url"])
        for panes in parse_qs(urlsplit(link).query).get("panes", ()):
            found.add(json.loads(panes)["a"]["queries"][0]["query"])
    pages = [*(ROOT / "examples/runbooks").glob("*.md"), ROOT / "docs" / "queries.md"]
    for text in (page.read_text() for page in pages):
        for block in re.findall(r"```traceql\n(.*?)```", text, re.DOTALL):
            found |= {re.split(r"\s{3,}", line)[0] for line in block.splitlines()}
    return found


def test_grafanas_grammar_takes_every_traceql_query(folder: Path) -> None:
    queries = traceql()
    assert len(queries) > 30
    assert unparsed(folder, queries) == []


def test_the_grammar_does_not_take_everything(folder: Path) -> None:
    wrong = ["{ span.x = }", "{ agent_eval.label = 1 }", "{ } | count_over_time( by (span.x)"]
    assert {query for query, _ in unparsed(folder, wrong)} == set(wrong)
