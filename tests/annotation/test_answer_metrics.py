from pathlib import Path
from typing import Any

import pytest
from annotation_samples import EVALUATORS, TOXICITY, Clock, Metrics, good, judged, new_metrics, options, skipped, toxic
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

from otel_agent_eval.annotation.answer_metrics import ENDINGS, AnswerMetrics, max_series
from otel_agent_eval.annotation.dimensions import Limits
from otel_agent_eval.annotation.last_failure import LastFailureFile
from otel_agent_eval.annotation.prometheus import page
from otel_agent_eval.evaluation.evaluation import Evaluation, Failed, Reason, Skipped

SHOP = {"service_name": "shop", "gen_ai_agent_name": "helper", "gen_ai_request_model": "gpt-4o"}


def samples(metrics: Metrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    text = metrics.page("application/openmetrics-text")[0].decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in parse_openmetrics(text)
        for sample in family.samples
    }


def value(metrics: Metrics, name: str, evaluator: str = "toxicity", **labels: str) -> float | None:
    info = EVALUATORS[evaluator]
    base = {"gen_ai_evaluation_name": evaluator, **labels}
    if not name.endswith("_timestamp_seconds"):
        base["agent_eval_evaluator"] = info.version
    return samples(metrics).get((name, frozenset(base.items())))


def ending(outcome: str, label: str = "", reason: str = "") -> dict[str, str]:
    labels = {
        "agent_eval_outcome": outcome,
        "gen_ai_evaluation_score_label": label,
        "agent_eval_reason": reason,
    }
    return {key: text for key, text in labels.items() if text}


def test_every_ending_of_every_evaluator_is_zero_from_the_start() -> None:
    found = samples(new_metrics())
    for name, info in EVALUATORS.items():
        for outcome, label, reason in ENDINGS:
            labels = {"gen_ai_evaluation_name": name, "agent_eval_evaluator": info.version}
            labels |= ending(outcome, label, reason)
            for metric in ("agent_eval_evaluations_total", "agent_eval_evaluations_raw_total"):
                assert found[(metric, frozenset(labels.items()))] == 0
        never = {"gen_ai_evaluation_name": name}
        assert found[("agent_eval_last_failure_timestamp_seconds", frozenset(never.items()))] == 0
    assert len(ENDINGS) == 2 + len(Reason) + 1


def test_at_the_first_sight_of_a_service_all_its_series_begin() -> None:
    metrics = new_metrics()
    metrics.answers.record(judged({"toxicity": toxic(0.1)}))
    for name in EVALUATORS:
        for outcome, label, reason in ENDINGS:
            expected = float((name, label) == ("toxicity", "pass"))
            assert (
                value(metrics, "agent_eval_evaluations_total", name, **SHOP, **ending(outcome, label, reason))
                == expected
            )


def test_each_choice_is_counted_and_scored() -> None:
    metrics = new_metrics()
    metrics.answers.record(judged({"toxicity": toxic(0.1)}, {"toxicity": toxic(0.9)}, {"toxicity": Failed("Broken")}))
    total = "agent_eval_evaluations_total"
    assert value(metrics, total, **SHOP, **ending("scored", "pass")) == 1
    assert value(metrics, total, **SHOP, **ending("scored", "fail")) == 1
    assert value(metrics, total, **SHOP, **ending("failed")) == 1
    assert value(metrics, "agent_eval_score_count", **SHOP) == 2
    assert value(metrics, "agent_eval_score_sum", **SHOP) == 1.0
    assert value(metrics, "agent_eval_evaluation_errors_total", error_type="Broken") == 1


def test_a_duplicate_is_counted_once_for_each_evaluator_and_never_scored() -> None:
    metrics = new_metrics()
    metrics.answers.record(skipped(Reason.DUPLICATE, duplicate_of="00f067aa0ba902b7"))
    for name in EVALUATORS:
        labels = ending("skipped", reason="duplicate")
        assert value(metrics, "agent_eval_evaluations_total", name, **SHOP, **labels) == 1
        assert value(metrics, "agent_eval_score_count", name, **SHOP) == 0


def test_thresholds_are_bucket_edges_of_their_evaluator() -> None:
    metrics = new_metrics()
    metrics.answers.record(judged({"toxicity": toxic(0.94), "relevance": good(0.94)}))
    assert value(metrics, "agent_eval_score_bucket", **SHOP, le="0.9") == 0
    assert value(metrics, "agent_eval_score_bucket", **SHOP, le="0.95") == 1
    assert value(metrics, "agent_eval_score_bucket", "faithfulness", **SHOP, le="0.55") == 0
    assert value(metrics, "agent_eval_score_bucket", "relevance", **SHOP, le="0.95") is None


def test_a_sampled_answer_weighs_as_many_as_it_stands_for_beside_its_raw_count() -> None:
    metrics = new_metrics()
    metrics.answers.record(judged({"toxicity": toxic(0.9)}, weight=2.5))
    metrics.answers.record(judged({"toxicity": toxic(0.9)}, weight=2.5))
    fail = ending("scored", "fail")
    assert value(metrics, "agent_eval_evaluations_total", **SHOP, **fail) == 5
    assert value(metrics, "agent_eval_evaluations_raw_total", **SHOP, **fail) == 2
    assert value(metrics, "agent_eval_score_count", **SHOP) == 5
    assert value(metrics, "agent_eval_score_sum", **SHOP) == 4.5


def test_the_time_of_the_last_failure_moves_only_with_failures() -> None:
    clock = Clock(1000.0)
    metrics = new_metrics(clock)
    name = "agent_eval_last_failure_timestamp_seconds"
    metrics.answers.record(judged({"toxicity": toxic(0.1), "relevance": Failed("Broken")}))
    assert value(metrics, name, **SHOP) == value(metrics, name, "relevance", **SHOP) == 0
    clock.seconds = 2000.0
    metrics.answers.record(judged({"toxicity": toxic(0.9)}))
    clock.seconds = 3000.0
    metrics.answers.record(judged({"toxicity": toxic(0.1)}))
    assert value(metrics, name, **SHOP) == 2000.0


def test_the_last_failure_outlives_a_restart(tmp_path: Path) -> None:
    path, clock = tmp_path / "last_failure.json", Clock(2000.0)
    first = new_metrics(clock, segments=("user.segment",))
    first.answers.record(judged({"toxicity": toxic(0.9)}, segments={"user.segment": "new"}))
    LastFailureFile(path).save(first.answers.failures())
    kept = LastFailureFile(path).load(9000.0)
    second = new_metrics(clock, segments=("user.segment",))
    second.answers.restore(kept)
    name = "agent_eval_last_failure_timestamp_seconds"
    assert value(second, name, **SHOP, user_segment="new") == 2000.0
    assert value(second, "agent_eval_evaluations_total", **SHOP, user_segment="new", **ending("scored", "fail")) == 0
    without_segments = new_metrics(clock)
    without_segments.answers.restore(kept)
    assert value(without_segments, name, **SHOP) == 2000.0


def test_a_failure_is_severe_from_the_paging_threshold_on_in_the_direction_of_its_evaluator() -> None:
    clock = Clock(1000.0)
    metrics = new_metrics(clock)
    name = "agent_eval_last_severe_failure_timestamp_seconds"
    metrics.answers.record(judged({"toxicity": toxic(0.89), "faithfulness": good(0.1)}))
    assert value(metrics, name, **SHOP) == value(metrics, name, "faithfulness", **SHOP) == 0
    metrics.answers.record(judged({"toxicity": toxic(0.9), "faithfulness": good(0.09)}))
    assert value(metrics, name, **SHOP) == value(metrics, name, "faithfulness", **SHOP) == 1000.0
    assert value(metrics, name, "relevance", **SHOP) is None


def test_an_answer_that_passes_by_its_own_threshold_is_never_severe() -> None:
    metrics = new_metrics()
    metrics.answers.record(judged({"toxicity": toxic(0.93, threshold=0.95)}))
    assert value(metrics, "agent_eval_last_severe_failure_timestamp_seconds", **SHOP) == 0


def test_a_severe_failure_outlives_a_restart_apart_from_others(tmp_path: Path) -> None:
    path, clock = tmp_path / "last_failure.json", Clock(2000.0)
    first = new_metrics(clock)
    first.answers.record(judged({"toxicity": toxic(0.95)}))
    clock.seconds = 3000.0
    first.answers.record(judged({"toxicity": toxic(0.85)}))
    LastFailureFile(path).save(first.answers.failures())
    second = new_metrics(clock)
    second.answers.restore(LastFailureFile(path).load(9000.0))
    assert value(second, "agent_eval_last_severe_failure_timestamp_seconds", **SHOP) == 2000.0
    assert value(second, "agent_eval_last_failure_timestamp_seconds", **SHOP) == 3000.0


def test_the_last_failure_of_an_evaluator_no_longer_configured_is_forgotten() -> None:
    metrics = new_metrics()
    metrics.answers.restore([({"gen_ai.evaluation.name": "politeness"}, 1000.0)])
    assert list(metrics.answers.failures()) == []


def test_overflow_is_visible_as_a_metric() -> None:
    metrics = new_metrics(limits=Limits(values=1))
    for service in ("one", "two"):
        metrics.answers.record(judged({"toxicity": toxic(0.1)}, service=service))
    found = samples(metrics)
    name = "agent_eval_metrics_overflow_total"
    assert found[(name, frozenset({("agent_eval_dimension", "service.name")}))] == 1
    assert found[(name, frozenset({("agent_eval_dimension", "combination")}))] == 0


def test_types_of_errors_are_capped() -> None:
    metrics = new_metrics()
    for number in range(30):
        metrics.answers.record(judged({"toxicity": Failed(f"Error{number}")}))
    assert value(metrics, "agent_eval_evaluation_errors_total", error_type="Error19") == 1
    assert value(metrics, "agent_eval_evaluation_errors_total", error_type="__other__") == 10


def test_the_duration_of_an_evaluation_is_a_histogram_in_seconds() -> None:
    metrics = new_metrics()
    metrics.answers.observe_duration(TOXICITY, 0.03)
    assert value(metrics, "agent_eval_evaluation_duration_seconds_count") == 1
    assert value(metrics, "agent_eval_evaluation_duration_seconds_bucket", le="0.025") == 0
    assert value(metrics, "agent_eval_evaluation_duration_seconds_bucket", le="0.05") == 1


def test_the_documented_number_of_series_is_never_exceeded() -> None:
    chosen = options(("user.segment",), Limits(values=4, combinations=6))
    answers = AnswerMetrics(chosen, Clock())
    for number in range(40):
        choice = {"toxicity": Failed(f"E{number}"), "input_toxicity": Failed(f"E{number}")}
        choice |= {"faithfulness": Failed(f"E{number}"), "relevance": Failed(f"E{number}")}
        answers.record(judged(choice, service=f"s{number % 5}", agent=f"a{number % 3}", segments={"user.segment": "x"}))
    text, _ = page(answers.tables, "")
    series = [line for line in text.decode().splitlines() if not line.startswith("#")]
    assert len(series) == max_series(chosen)


@settings(max_examples=20)  # a page is some thousand lines
@given(
    st.lists(
        st.tuples(
            st.dictionaries(
                st.sampled_from(list(EVALUATORS)),
                st.one_of(
                    st.floats(0, 1).map(toxic),
                    st.sampled_from(Reason).map(Skipped),
                    st.text(max_size=200).map(Failed),
                ),
            ),
            st.fixed_dictionaries({"service": st.text(), "agent": st.text(), "model": st.text()}),
            st.floats(1, 1_000_000),
        ),
        max_size=4,
    )
)
def test_any_verdicts_give_pages_that_parse_and_add_up(
    verdicts: list[tuple[dict[str, Evaluation], dict[str, Any], float]],
) -> None:
    metrics = new_metrics()
    for choice, names, weight in verdicts:
        metrics.answers.record(judged(choice, weight=weight, **names))
    raw = sum(v for (name, _), v in samples(metrics).items() if name == "agent_eval_evaluations_raw_total")
    assert raw == sum(len(choice) for choice, _, _ in verdicts)


def test_segments_that_cannot_be_labels_are_refused_at_the_start() -> None:
    with pytest.raises(ValueError, match="same label in Prometheus"):
        new_metrics(segments=("service.name",))
