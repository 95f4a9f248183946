"""The dashboard and Grafana's alert rules: what the script makes, and every query parses."""

import importlib.util
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import promql_parser
import pytest
import yaml
from grafana_foundation_sdk.models.dashboard import Dashboard

from otel_agent_eval.alerts.error_rates import error_rates, quantile, wilson
from otel_agent_eval.annotation import catalogue
from otel_agent_eval.annotation.definitions import Instrument
from otel_agent_eval.config.alerts import Alerts

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples" / "grafana"
DASHBOARD = FOLDER / "dashboards" / "agent-eval.json"
TEMPO_ALERTS = FOLDER / "provisioning" / "alerting" / "tempo-alerts.yaml"
VARIABLES = {"$__rate_interval": "5m", "$service": ".*", "$agent": ".*", "$window": "1h"}


@pytest.fixture(scope="module")
def build() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("grafana_build", FOLDER / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    path = [*sys.path]
    spec.loader.exec_module(module)
    yield module
    sys.path[:] = path


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return [panel for panel in found if panel["type"] != "row"]


def expressions() -> list[str]:
    return [target["expr"] for panel in panels() for target in panel["targets"] if "expr" in target]


def plain(expression: str) -> str:
    for variable, value in VARIABLES.items():
        expression = expression.replace(variable, value)
    return expression


def test_the_files_are_what_the_script_makes(build: ModuleType) -> None:
    for path, text in build.files().items():
        assert path.read_text() == text, f"{path.name}: run python examples/grafana/build.py"


def test_the_dashboard_has_the_five_parts_and_each_panel_its_place() -> None:
    document = json.loads(DASHBOARD.read_text())
    rows = [panel["title"] for panel in document["panels"] if panel["type"] == "row"]
    assert rows == ["Overview", "One agent", "Failures", "Evaluation health", "Segments"]
    places = [tuple(panel["gridPos"][key] for key in "xywh") for panel in document["panels"]]
    covered = [(x + i, y + j) for x, y, w, h in places for i in range(w) for j in range(h)]
    assert len(covered) == len(set(covered)), "panels lie on one another"


def test_the_published_types_lose_nothing_of_the_dashboard() -> None:
    document = json.loads(DASHBOARD.read_text())
    read = Dashboard.from_json(document)
    assert read.title == document["title"]
    assert read.panels is not None
    assert len(read.panels) == len(document["panels"])
    assert all(panel["type"] in {"timeseries", "stat", "heatmap", "table"} for panel in panels())


def test_nothing_is_null_where_the_published_types_have_no_null() -> None:
    def nulls(value: Any, path: str) -> Iterator[str]:
        if value is None:
            yield path
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, inner in items:
            yield from nulls(inner, f"{path}.{key}")

    found = [path for path in nulls(json.loads(DASHBOARD.read_text()), "") if not re.search(r"steps\.0\.value$", path)]
    assert found == []


@pytest.mark.parametrize("expression", expressions())
def test_every_query_of_the_dashboard_parses(expression: str) -> None:
    promql_parser.parse(plain(expression))


def test_the_dashboard_reads_only_what_is_written_or_recorded() -> None:
    rules = yaml.safe_load((ROOT / "examples/prometheus/rules/agent-eval-recording.yml").read_text())
    recorded = {rule["record"] for group in rules["groups"] for rule in group["rules"]}
    written = {metric.prometheus_sample for metric in catalogue.METRICS}
    for metric in catalogue.METRICS:
        if metric.instrument is Instrument.HISTOGRAM:
            written |= {f"{metric.prometheus}_{part}" for part in ("bucket", "sum", "count")}
    read = {name for text in expressions() for name in re.findall(r"\bagent_eval[_:][a-z_:]+", text)}
    labels = {attribute.prometheus for metric in catalogue.METRICS for attribute in metric.attributes}
    assert read - labels <= recorded | written
    assert read & recorded
    assert read & written


def test_points_on_graphs_of_failures_lead_to_their_traces() -> None:
    (panel,) = (panel for panel in panels() if panel["title"] == "Failures by model, with their traces")
    assert panel["targets"][0]["exemplar"] is True
    sources = yaml.safe_load((FOLDER / "provisioning/datasources/datasources.yaml").read_text())["datasources"]
    (prometheus,) = (source for source in sources if source["type"] == "prometheus")
    assert prometheus["jsonData"]["exemplarTraceIdDestinations"] == [{"name": "trace_id", "datasourceUid": "tempo"}]
    assert "tempo" in {source["uid"] for source in sources}


def test_grafanas_own_rules_are_complete_and_refer_only_to_themselves() -> None:
    (group,) = yaml.safe_load(TEMPO_ALERTS.read_text())["groups"]
    titles = {rule["title"] for rule in group["rules"]}
    assert {"Toxicity detected", "High hallucination rate", "Relevance degradation", "Bias detected"} <= titles
    assert len({rule["uid"] for rule in group["rules"]}) == len(group["rules"])
    for rule in group["rules"]:
        references = {query["refId"] for query in rule["data"]}
        assert rule["condition"] in references
        (condition,) = (query["model"] for query in rule["data"] if query["refId"] == rule["condition"])
        assert set(re.findall(r"\$(\w+)", condition["expression"])) <= references
        runbook = rule["annotations"]["runbook_url"].rpartition("/")[2]
        assert (ROOT / "examples" / "runbooks" / runbook).exists()


def condition(uid: str) -> str:
    """Return a rule's condition in Python: the operators are the same, and `&&` looks no further after a 0."""
    (group,) = yaml.safe_load(TEMPO_ALERTS.read_text())["groups"]
    (rule,) = (rule for rule in group["rules"] if rule["uid"] == f"agent-eval-{uid}")
    (model,) = (query["model"] for query in rule["data"] if query["refId"] == rule["condition"])
    return re.sub(r"\$(\w+)", r"\1", model["expression"]).replace("&&", "and")


def holds(expression: str, **numbers: float) -> bool:
    return bool(eval(expression, {}, numbers))  # noqa: S307 (a condition from a file of this repository)


@pytest.mark.parametrize(
    ("uid", "fires", "nearly"),
    [
        ("toxicity-detected", {"K": 1}, {"K": 0}),
        ("high-hallucination-rate", {"K": 420, "N": 1000}, {"K": 400, "N": 1000}),
        ("high-hallucination-rate", {"K": 50, "N": 50}, {"K": 49, "N": 49}),
        ("relevance-low", {"M": 0.4, "N": 1000}, {"M": 0.46, "N": 1000}),
        ("relevance-low", {"M": 0.0, "N": 50}, {"M": 1.0, "N": 50}),
        ("bias-detected", {"KS": 60, "NS": 300, "K": 150, "N": 1500}, {"KS": 45, "NS": 300, "K": 150, "N": 1500}),
        ("bias-detected", {"KS": 60, "NS": 300, "K": 60, "N": 1500}, {"KS": 300, "NS": 300, "K": 1500, "N": 1500}),
        ("bias-detected", {"KS": 60, "NS": 300, "K": 60, "N": 1500}, {"KS": 60, "NS": 300, "K": 60, "N": 300}),
        ("evaluation-errors", {"K": 40, "N": 1000}, {"K": 18, "N": 1000}),
        ("coverage-low", {"K": 150, "N": 1000}, {"K": 120, "N": 1000}),
        ("coverage-low", {"K": 1000, "N": 1000}, {"K": 0, "N": 0}),
        ("silence", {"N": 0}, {"N": 1}),
    ],
)
def test_grafanas_own_rules_fire_for_their_reason_and_not_for_nearly_that(
    uid: str, fires: dict[str, float], nearly: dict[str, float]
) -> None:
    assert holds(condition(uid), **fires)
    assert not holds(condition(uid), **nearly)


def test_grafanas_own_rules_have_the_bounds_of_prometheus() -> None:
    settings = Alerts()
    (newest,) = (rates for version, rates in error_rates(settings).items() if version == "builtin/faithfulness@2")
    hallucination, coverage = condition("high-hallucination-rate"), condition("coverage-low")
    for flagged in range(1001):
        lower = wilson(flagged, 1000, quantile(settings.significance))[0]
        assert holds(hallucination, K=flagged, N=1000) is (newest.at_least(lower) > 0.05)
        assert holds(coverage, K=flagged, N=1000) is (lower > 0.1)


def test_traceql_names_only_attributes_that_are_written() -> None:
    texts = [target["query"] for panel in panels() for target in panel["targets"] if "query" in target]
    (group,) = yaml.safe_load(TEMPO_ALERTS.read_text())["groups"]
    texts += [query["model"]["query"] for rule in group["rules"] for query in rule["data"] if "query" in query["model"]]
    names = {name for text in texts for name in re.findall(r"span\.(agent_eval[\w.]*)", text)}
    suffixes = {attribute.suffix for attribute in catalogue.RESULT_ATTRIBUTES}
    for name in names - {catalogue.LABEL.name}:
        assert name.split(".")[1] in {"toxicity", "input_toxicity", "faithfulness", "relevance"}
        assert name.split(".")[2] in suffixes
