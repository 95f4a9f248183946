"""What is rendered, without Prometheus."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from alert_configs import config, config_text
from typer.testing import CliRunner

from otel_agent_eval.alerts.promql import duration, pattern
from otel_agent_eval.alerts.render import ALERTS_FILE, RECORDING_FILE, render
from otel_agent_eval.cli import app
from otel_agent_eval.config import ConfigError, loads

Rule = dict[str, Any]


def rules(text: str) -> list[Rule]:
    return [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


def alerts(settings: dict[str, Any] | None = None, services: tuple[str, ...] = ()) -> list[Rule]:
    return rules(render(config(settings), services)[ALERTS_FILE])


def test_every_alert_has_a_severity_a_summary_a_query_and_a_runbook() -> None:
    for rule in alerts({"services": {"shop": {"silence": "2h"}}}):
        annotations = rule["annotations"]
        assert rule["labels"]["severity"] in {"critical", "warning", "none"}
        assert set(annotations) == {"summary", "description", "query_url", "runbook_url"}
        assert re.match(r"https?://", annotations["query_url"])
        assert not re.search(r"<\w+>", " ".join(annotations.values())), "a value was not filled in"


def test_alerts_read_only_what_is_recorded() -> None:
    files = render(config())
    recorded = {rule["record"] for rule in rules(files[RECORDING_FILE])}
    read = set(re.findall(r"agent_eval:[a-z_]+:[a-z_]+", str([rule["expr"] for rule in rules(files[ALERTS_FILE])])))
    assert read <= recorded
    assert read


def test_what_is_recorded_never_goes_stale_between_two_evaluations() -> None:
    groups = yaml.safe_load(render(config({"windows": ["1h", "336h"]}))[RECORDING_FILE])["groups"]
    assert [group["interval"] for group in groups] == ["1m", "1m", "2m"]


def test_thresholds_of_one_service_leave_the_others_as_they_are() -> None:
    found = [rule for rule in alerts({"services": {"a.b": {"coverage": 0.5}}}) if rule["alert"].endswith("CoverageLow")]
    assert [rule["expr"].partition("agent_eval:")[2] for rule in found] == [
        'coverage:ratio_upper{service_name="a.b"} < 0.5)',
        'coverage:ratio_upper{service_name!~"a\\\\.b"} < 0.9)',
    ]
    assert [rule["labels"].get("service_name") for rule in found] == ["a.b", None]


def test_rules_for_one_service_are_about_no_other() -> None:
    settings = {"services": {"one": {"hallucination_rate": 0.01}, "two": {"silence": "1h"}}}
    files = render(config(settings), ("one",))
    for selector in re.findall(r"agent_eval_(?:evaluations|score)\w*\{([^}]*)\}", files[RECORDING_FILE]):
        assert 'service_name=~"one"' in selector or "evaluation_errors" in selector
    assert "two" not in files[ALERTS_FILE]


def test_an_evaluator_that_does_not_run_has_no_alert() -> None:
    text = config_text().replace("  agent_eval:\n", "  agent_eval:\n    evaluators: {toxicity: }\n")
    names = {rule["alert"] for rule in rules(render(loads(text, "c.yaml", {}).config)[ALERTS_FILE])}
    assert "AgentEvalToxicityDetected" in names
    assert not names & {"AgentEvalHighHallucinationRate", "AgentEvalRelevanceLow", "AgentEvalRelevanceFalling"}


@pytest.mark.parametrize(
    ("measured", "severity"),
    [("builtin/faithfulness@2", "critical"), ("builtin/relevance@2", "warning"), ("my/unfaithfulness@1", "warning")],
)
def test_a_rate_wakes_nobody_until_its_evaluator_was_measured_on_own_answers(measured: str, severity: str) -> None:
    counts = {"bad": 100, "bad_flagged": 90, "good": 400, "good_flagged": 8}
    own = alerts({"error_rates": {measured: counts}})
    for rules, expected in ((alerts(), "warning"), (own, severity)):
        (rule,) = (rule for rule in rules if rule["alert"] == "AgentEvalHighHallucinationRate")
        assert rule["labels"]["severity"] == expected
        assert ("public sets" in rule["annotations"]["description"]) is (expected == "warning")


def test_the_file_says_from_which_rate_on_hallucinations_can_be_told_from_the_limit() -> None:
    counts = {"bad": 1000, "bad_flagged": 900, "good": 10_000, "good_flagged": 300}
    text = render(config({"error_rates": {"builtin/faithfulness@99": counts}}))[RECORDING_FILE]
    assert (
        "# - builtin/faithfulness@99: from 5.4% on (it flags 90% of 1000 bad answers and 3% of 10000 good ones)" in text
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hallucination_rate": 0}, "hallucination_rate: expected more than 0; got 0"),
        ({"hallucination_rate": 5}, "hallucination_rate: expected less than 1; got 5"),
        ({"relevance_mean": ".nan"}, "relevance_mean: expected a number; got '.nan'"),
        ({"segments": {"user.segment": []}}, "segments.user.segment: expected at least one entry"),
        (
            {"segments": {"user.tier": ["a"]}},
            "segments.user.tier: not among the segments of agent_eval; expected one of: user.segment",
        ),
        ({"windows": ["24h", "1h"]}, "windows must ascend, each longer than the one before"),
        ({"links": {"prometheus": "http://{{x}}:1"}}, "links.prometheus: "),
        ({"links": {"prometheus": "http://p:1/{{x}}"}}, "a URL cannot hold {{"),
        ({"windows": []}, "windows: expected at least one entry"),
        ({"services": {"a{{b": {}}}, "alerts: the service 'a{{b' cannot have rules of its own"),
        ({"evaluators": {"relevance": "relevanse"}}, "evaluators.relevance: 'relevanse' is not under evaluators; did"),
        ({"links": {"runbooks": "wiki:80"}}, "links.runbooks: expected a URL that begins with http:// or https://"),
        (
            {"error_rates": {"x@1": {"bad": 10, "bad_flagged": 5, "good": 10, "good_flagged": 5}}},
            "error_rates.x@1: bad answers are flagged no more often than good ones",
        ),
        (
            {"error_rates": {"x@1": {"bad": 10, "bad_flagged": 11, "good": 10, "good_flagged": 5}}},
            "error_rates.x@1: more answers were flagged than there were",
        ),
    ],
)
def test_what_is_wrong_is_one_clear_error(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        config(settings)
    assert str(error.value).count("\n") == 0
    assert message in str(error.value)


def test_an_unknown_service_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"service 'shap' is not listed under alerts.services; did you mean shop\?"):
        render(config({"services": {"shop": {}}}), ("shap",))
    with pytest.raises(ValueError, match="none is listed there"):
        render(config(), ("shop",))


def test_without_scoring_there_is_nothing_to_alert_on() -> None:
    text = config_text().replace("      - agent_eval\n", "").replace("processors:\n      receivers", "receivers")
    text = re.sub(r"      processors:\n", "", text)
    with pytest.raises(ValueError, match="there is nothing to alert on"):
        render(loads(text, "c.yaml", {}).config)


def test_durations_are_written_as_prometheus_reads_them() -> None:
    assert [duration(s) for s in (0.5, 1, 90, 120, 3600, 5400, 86_400, 604_800)] == [
        "500ms", "1s", "90s", "2m", "1h", "90m", "1d", "7d",
    ]  # fmt: skip


def test_names_are_matched_as_they_are() -> None:
    assert pattern(["a.b", 'c"d', "e|f"]) == r'"a\\.b|c\"d|e\\|f"'


def test_the_command_writes_compares_and_names_what_differs(tmp_path: Path) -> None:
    (tmp_path / "gateway.yaml").write_text(config_text())
    arguments = ["alerts", "render", "--config", str(tmp_path / "gateway.yaml"), "--output", str(tmp_path / "rules")]
    run = CliRunner().invoke
    missing = run(app, [*arguments, "--check"])
    assert missing.exit_code == 1
    assert "No such file" in missing.output
    assert run(app, arguments).exit_code == 0
    assert run(app, [*arguments, "--check"]).output == f"up to date: {RECORDING_FILE}, {ALERTS_FILE}\n"
    alerts_file = tmp_path / "rules" / ALERTS_FILE
    edited = alerts_file.read_text().replace("< 0.5)", "< 0.6)")
    alerts_file.write_text(edited)
    changed = run(app, [*arguments, "--check"])
    assert changed.exit_code == 1
    assert "< 0.6)" in changed.output
    assert "run otel-agent-eval alerts render" in changed.output
    assert alerts_file.read_text() == edited, "--check writes nothing"


def test_the_command_refuses_an_unknown_service_and_a_wrong_folder_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "gateway.yaml").write_text(config_text())
    arguments = ["alerts", "render", "--config", str(tmp_path / "gateway.yaml")]
    unknown = CliRunner().invoke(app, [*arguments, "--service", "shop"])
    wrong = CliRunner().invoke(app, [*arguments, "--output", str(tmp_path / "gateway.yaml")])
    for done in (unknown, wrong):
        assert done.exit_code == 1
        assert done.output.count("\n") == 1
