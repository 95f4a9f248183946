"""Rules, Prometheus' and Alertmanager's configuration, and the runbooks they lead to."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from otel_agent_eval.alerts.render import render
from otel_agent_eval.annotation import catalogue
from otel_agent_eval.config import load

EXAMPLES = Path(__file__).parents[2] / "examples"
DOCS = EXAMPLES.parent / "docs"
RUNBOOKS = EXAMPLES / "runbooks"
SECTIONS = [
    "What it means", "Who is hurt", "First five minutes", "Find the answers", "Contain",
    "Real problem, or the detector's?", "Close", "Record",
]  # fmt: skip


def alerts() -> list[dict[str, Any]]:
    text = (EXAMPLES / "prometheus" / "rules" / "agent-eval-alerts.yml").read_text()
    return [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


def test_the_rules_are_those_of_the_configuration() -> None:
    for name, text in render(load(EXAMPLES / "deploy" / "gateway.yaml").config).items():
        assert (EXAMPLES / "prometheus" / "rules" / name).read_text() == text, "run otel-agent-eval alerts render"


def pages() -> list[Path]:
    return [path for path in sorted(RUNBOOKS.glob("*.md")) if path.name not in {"README.md", "incident.md"}]


def test_every_alert_leads_to_a_runbook_that_names_it() -> None:
    for rule in alerts():
        page = RUNBOOKS / rule["annotations"]["runbook_url"].rpartition("/")[2]
        assert page in pages()
        assert f"`{rule['alert']}`" in page.read_text()
        assert f"`{rule['alert']}`" in (RUNBOOKS / "README.md").read_text()


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.stem)
def test_a_runbook_is_complete(page: Path) -> None:
    parts = re.split(r"^## (.*)\n", page.read_text(), flags=re.MULTILINE)
    assert parts[1::2] == SECTIONS
    assert all(len(text.strip()) > 40 for text in parts[2::2])
    contain = parts[2::2][SECTIONS.index("Contain")].lower()
    assert {"guard", "roll", "switch"} <= set(re.findall(r"guard|roll|switch", contain))


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.stem)
def test_queries_of_a_runbook_name_what_is_written(page: Path) -> None:
    text = page.read_text()
    suffixes = {attribute.suffix for attribute in (*catalogue.RESULT_ATTRIBUTES, *catalogue.EVIDENCE_ATTRIBUTES)}
    for name in re.findall(r"agent_eval\.(?:input_)?(?:toxicity|faithfulness|relevance)\.(\w+)", text):
        assert name in suffixes
    recorded = set(re.findall(r"record: (\S+)", (EXAMPLES / "prometheus/rules/agent-eval-recording.yml").read_text()))
    assert set(re.findall(r"agent_eval:[a-z_]+:[a-z_]+", text)) <= recorded
    samples = {metric.prometheus_sample for metric in catalogue.METRICS} | {"agent_eval_score_bucket"}
    labels = {attribute.prometheus for metric in catalogue.METRICS for attribute in metric.attributes}
    assert set(re.findall(r"\bagent_eval_[a-z_]+", text)) <= samples | labels


def _promql() -> list[str]:
    """Return the queries of the runbooks, the documentation and the dashboard."""
    docs = [*pages(), *(DOCS / name for name in ("alerts.md", "queries.md"))]
    blocks = [block for page in docs for block in re.findall(r"```promql\n(.*?)```", page.read_text(), re.DOTALL)]
    found = [re.split(r"\s{3,}", line)[0] for block in blocks for line in block.splitlines()]
    panels = json.loads((EXAMPLES / "grafana" / "dashboards" / "agent-eval.json").read_text())["panels"]
    drawn = [target["expr"] for panel in panels for target in panel.get("targets", ()) if "expr" in target]
    return [*found, *(expression.replace("$__rate_interval", "5m") for expression in drawn)]


@pytest.mark.debian
def test_promtool_accepts_the_example_and_every_query(tmp_path: Path) -> None:
    check = ["promtool", "check", "config", str(EXAMPLES / "prometheus" / "prometheus.yml")]
    done = subprocess.run(check, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    rules = [{"record": f"q:{number}", "expr": query} for number, query in enumerate(_promql())]
    assert len(rules) > 50
    (tmp_path / "queries.yml").write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    check = ["promtool", "check", "rules", str(tmp_path / "queries.yml")]
    done = subprocess.run(check, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.debian
@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        (("alertname=AgentEvalToxicityDetected", "severity=critical"), "pager"),
        (("alertname=AgentEvalToxicityFlagged", "severity=warning"), "chat"),
        (("alertname=AgentEvalHeartbeat", "severity=none"), "heartbeat"),
        (("alertname=SomebodyElses", "severity=critical"), "chat"),
    ],
)
def test_alertmanager_tells_whom_the_severity_says(labels: tuple[str, ...], receiver: str) -> None:
    file = str(EXAMPLES / "alertmanager" / "alertmanager.yml")
    checked = subprocess.run(["amtool", "check-config", file], capture_output=True, check=False, timeout=60)
    assert checked.returncode == 0
    command = ["amtool", "config", "routes", "test", f"--config.file={file}", *labels]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout.strip()) == (0, receiver)
