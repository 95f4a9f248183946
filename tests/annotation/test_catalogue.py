import ast
import re
import sys
from pathlib import Path

import pytest

from otel_agent_eval.annotation import catalogue, definitions
from otel_agent_eval.annotation.definitions import Instrument, Type, prometheus_label
from otel_agent_eval.annotation.docs import PAGE, main, render
from otel_agent_eval.evaluation.evaluation import Reason

ROOT = Path(__file__).parents[2]


def test_span_attributes_have_the_promised_names_and_types() -> None:
    names = {attribute.name: attribute.type for attribute in catalogue.SPAN_ATTRIBUTES}
    assert names == {
        "agent_eval.label": Type.STRING,
        "agent_eval.duplicate_of": Type.STRING,
        "agent_eval.<name>.score": Type.DOUBLE,
        "agent_eval.<name>.label": Type.STRING,
        "agent_eval.<name>.threshold": Type.DOUBLE,
        "agent_eval.<name>.evaluator": Type.STRING,
        "agent_eval.<name>.outcome": Type.STRING,
        "agent_eval.<name>.reason": Type.STRING,
        "agent_eval.<name>.evidence_cut": Type.BOOLEAN,
        "agent_eval.<name>.categories": Type.STRINGS,
        "agent_eval.<name>.unsupported": Type.STRINGS,
        "agent_eval.<name>.documents": Type.STRINGS,
    }
    assert catalogue.SCORE.of("toxicity") == "agent_eval.toxicity.score"
    assert catalogue.CATEGORIES.values == ("insult", "threat", "identity_attack", "obscene", "sexual")


def test_the_event_has_the_names_of_the_genai_conventions() -> None:
    assert catalogue.RESULT_EVENT.name == "gen_ai.evaluation.result"
    assert {attribute.name for attribute in catalogue.RESULT_EVENT.attributes} == {
        "gen_ai.evaluation.name",
        "gen_ai.evaluation.score.value",
        "gen_ai.evaluation.score.label",
        "gen_ai.evaluation.explanation",
        "gen_ai.response.id",
        "error.type",
        "agent_eval.evaluator",
        "agent_eval.threshold",
        "agent_eval.direction",
        "agent_eval.choice",
        "gen_ai.agent.name",
        "gen_ai.conversation.id",
        "event.name",
    }


def test_metrics_have_the_promised_prometheus_names() -> None:
    assert {metric.prometheus_sample: metric.instrument for metric in catalogue.METRICS} == {
        "agent_eval_score": Instrument.HISTOGRAM,
        "agent_eval_evaluations_total": Instrument.COUNTER,
        "agent_eval_evaluations_raw_total": Instrument.COUNTER,
        "agent_eval_last_failure_timestamp_seconds": Instrument.GAUGE,
        "agent_eval_last_severe_failure_timestamp_seconds": Instrument.GAUGE,
        "agent_eval_evaluation_errors_total": Instrument.COUNTER,
        "agent_eval_evaluation_duration_seconds": Instrument.HISTOGRAM,
        "agent_eval_metrics_overflow_total": Instrument.COUNTER,
        "agent_eval_gateway_received_total": Instrument.COUNTER,
        "agent_eval_gateway_refused_total": Instrument.COUNTER,
        "agent_eval_gateway_forwarded_total": Instrument.COUNTER,
        "agent_eval_gateway_dropped_total": Instrument.COUNTER,
        "agent_eval_gateway_queued": Instrument.GAUGE,
        "agent_eval_gateway_queue_size_bytes": Instrument.GAUGE,
        "agent_eval_gateway_queue_age_seconds": Instrument.GAUGE,
        "agent_eval_gateway_dead_letters": Instrument.GAUGE,
        "agent_eval_gateway_journal_size_bytes": Instrument.GAUGE,
        "agent_eval_gateway_journal_unreadable_total": Instrument.COUNTER,
        "agent_eval_gateway_held": Instrument.GAUGE,
        "agent_eval_gateway_evictions_total": Instrument.COUNTER,
        "agent_eval_gateway_memory_bytes": Instrument.GAUGE,
        "agent_eval_gateway_workers": Instrument.GAUGE,
        "agent_eval_gateway_worker_endings_total": Instrument.COUNTER,
        "agent_eval_gateway_refused_items_total": Instrument.COUNTER,
        "agent_eval_gateway_request_size_bytes": Instrument.HISTOGRAM,
        "agent_eval_gateway_send_duration_seconds": Instrument.HISTOGRAM,
        "agent_eval_gateway_send_items": Instrument.HISTOGRAM,
        "agent_eval_gateway_send_failures_total": Instrument.COUNTER,
        "agent_eval_gateway_queue_capacity_bytes": Instrument.GAUGE,
        "agent_eval_gateway_hold_duration_seconds": Instrument.HISTOGRAM,
        "agent_eval_gateway_config_loaded_timestamp_seconds": Instrument.GAUGE,
        "agent_eval_gateway_config_refused": Instrument.GAUGE,
        "agent_eval_gateway_handshake_failures_total": Instrument.COUNTER,
    }


def test_no_two_attributes_share_a_name_or_a_prometheus_label() -> None:
    attributes = {a for m in catalogue.METRICS for a in m.attributes} | set(catalogue.RESULT_EVENT.attributes)
    assert len({a.name for a in attributes}) == len({a.prometheus for a in attributes}) == len(attributes)
    assert all(re.fullmatch(r"[a-z_]+(\.[a-z_]+)*", attribute.name) for attribute in attributes)


@pytest.mark.parametrize(
    ("attribute", "label"),
    [("user.segment", "user_segment"), ("user-tier", "user_tier"), ("2nd.level", "key_2nd_level")],
)
def test_labels_follow_the_standard_translation(attribute: str, label: str) -> None:
    assert prometheus_label(attribute) == label


def test_nothing_outside_the_catalogue_spells_out_a_name_of_ours() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text!r}"
        for folder in ("otel_agent_eval", "processors", "exporters")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if path not in {Path(catalogue.__file__), Path(definitions.__file__)}
        for line, text in _literals(path)
        if re.search(r"(?<![\w.])agent_eval\.", text)
    ]
    assert found == []


def _literals(path: Path) -> list[tuple[int, str]]:
    """The string literals of a module, docstrings left out."""
    tree = ast.parse(path.read_text())
    statements = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        (node.lineno, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in statements
    ]


def test_the_documentation_is_current() -> None:
    assert PAGE.read_text() == render(), "run python -m otel_agent_eval.annotation.docs"


def test_the_documentation_names_everything() -> None:
    page = render()
    names = [a.name for a in catalogue.SPAN_ATTRIBUTES] + [m.name for m in catalogue.METRICS] + list(Reason)
    assert [name for name in names if f"`{name}`" not in page] == []


def test_check_finds_a_stale_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "docs" / "telemetry.md"
    monkeypatch.setattr(sys.modules["otel_agent_eval.annotation.docs"], "PAGE", page)
    assert main(["--check"]) == 1
    assert main([]) == 0
    assert main(["--check"]) == 0
    page.write_text(page.read_text() + "more")
    assert main(["--check"]) == 1
    assert main(["--bogus"]) == 2
