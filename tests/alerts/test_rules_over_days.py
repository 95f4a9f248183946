"""What fires over days and weeks: `promtool test rules` on the rendered rules."""

from collections.abc import Callable
from pathlib import Path

import pytest
from alert_configs import config
from days_of_traffic import DAY, Flow, office_hours, play

pytestmark = [pytest.mark.debian, pytest.mark.timeout(600)]
WEEK = 7 * DAY
GOOD_DETECTOR = {"test/evaluator@1": {"bad": 2000, "bad_flagged": 1800, "good": 20_000, "good_flagged": 1000}}
"""It flags 90 % of bad answers, and 5 % of good ones."""


def test_two_weeks_of_healthy_office_hours_with_a_restart_are_silent(tmp_path: Path) -> None:
    flows = [
        Flow(evaluator="toxicity", answers=office_hours(50), score=0.05),
        Flow(answers=office_hours(50), flagged=0.02),
        Flow(evaluator="relevance", answers=office_hours(50), flagged=0.1, score=0.8),
    ]
    hours = {hour: set[tuple[str, str]]() for hour in range(12, 2 * WEEK + 1, 12)}
    play(config(), flows, hours, tmp_path, restarts=(33, 9 * DAY + 10))


def test_no_traffic_is_no_alert(tmp_path: Path) -> None:
    flows = [Flow(evaluator=name, answers=0) for name in ("toxicity", "faithfulness", "relevance")]
    play(config(), flows, {1: set(), DAY: set(), 8 * DAY: set()}, tmp_path)


def test_one_bad_answer_of_ten_is_not_a_rate(tmp_path: Path) -> None:
    flows = [Flow(answers=lambda hour: 10.0 if hour < 1 else 0.0, flagged=0.1)]
    play(config(), flows, {1: set(), 2: set(), DAY: set(), 3 * DAY: set()}, tmp_path)


def test_a_sustained_8_percent_is_above_5_and_4_is_not(tmp_path: Path) -> None:
    flows = [Flow(service="bad", flagged=0.08), Flow(service="good", flagged=0.04)]
    fires = {("HighHallucinationRate", "bad")}
    play(config(), flows, {2: set(), DAY: fires, 3 * DAY: fires, 8 * DAY: fires}, tmp_path)


def test_the_false_alarms_of_a_detector_are_no_hallucinations(tmp_path: Path) -> None:
    """5 % of good answers are flagged: without correction a limit of 5 % would alert for ever."""
    flows = [
        Flow(service="healthy", flagged=0.02 * 0.9 + 0.98 * 0.05),
        Flow(service="bad", flagged=0.12 * 0.9 + 0.88 * 0.05),
    ]
    settings = {"error_rates": GOOD_DETECTOR}
    fires = {("HighHallucinationRate", "bad")}
    play(config(settings), flows, {DAY: fires, 8 * DAY: fires}, tmp_path)


def test_more_hallucinations_than_before_fire_though_the_detector_is_poor(tmp_path: Path) -> None:
    """It flags 28 % of good answers: its share says little, its rise much."""
    poor = {"test/evaluator@1": {"bad": 142, "bad_flagged": 103, "good": 170, "good_flagged": 48}}

    def flagged(true: float) -> float:
        return true * 103 / 142 + (1 - true) * 48 / 170

    def risen(true: float) -> Callable[[float], float]:
        return lambda hour: flagged(0.02 if hour < 8 * DAY else true)

    flows = [
        Flow(service="worse", answers=200, flagged=risen(0.17)),
        Flow(service="hardly", answers=200, flagged=risen(0.06)),
        Flow(service="always", answers=200, flagged=flagged(0.17)),
    ]
    fires = {("HallucinationRising", "worse")}
    hours = {2 * DAY: set[tuple[str, str]](), 8 * DAY: set[tuple[str, str]](), 10 * DAY: fires, 15 * DAY: fires}
    play(config({"error_rates": poor}), flows, hours, tmp_path)


def test_a_service_with_a_limit_of_its_own_has_only_that(tmp_path: Path) -> None:
    flows = [Flow(service="strict", flagged=0.03), Flow(service="other", flagged=0.03)]
    settings = {"services": {"strict": {"hallucination_rate": 0.01}}}
    play(config(settings), flows, {2 * DAY: {("HighHallucinationRate", "strict")}}, tmp_path)


def test_sampled_answers_weigh_in_the_share_and_not_in_its_certainty(tmp_path: Path) -> None:
    """One answer in a hundred is scored: 40 of them are too few, however many they stand for."""
    flows = [Flow(answers=lambda hour: 40.0 if hour < 1 else 0.0, flagged=0.2, weight=100.0)]
    play(config(), flows, {1: set(), 2: set()}, tmp_path)


def test_relevance_below_its_threshold_fires_and_just_above_it_does_not(tmp_path: Path) -> None:
    flows = [
        Flow(evaluator="relevance", service="low", score=0.42),
        Flow(evaluator="relevance", service="fine", score=0.51),
    ]
    play(config(), flows, {1: set(), DAY: {("RelevanceLow", "low")}}, tmp_path)


def test_slow_drift_shows_against_the_past(tmp_path: Path) -> None:
    """From 0.8 to 0.55 over twelve days: no day differs much from the one before."""
    drift = [Flow(evaluator="relevance", answers=100, score=lambda hour: 0.8 - 0.25 * min(1, hour / (12 * DAY)))]
    play(config(), drift, {7 * DAY: set(), 14 * DAY: {("RelevanceFalling", "shop")}}, tmp_path)


def test_an_upgrade_of_the_evaluator_is_not_a_drift(tmp_path: Path) -> None:
    def until(hour: float) -> float:
        return 100.0 if hour < 8 * DAY else 0.0

    flows = [
        Flow(evaluator="relevance", version="test/relevance@1", answers=until, score=0.9),
        Flow(
            evaluator="relevance",
            version="test/relevance@2",
            answers=lambda hour: 100 - until(hour),
            score=0.7,
            begins=8 * DAY,
        ),
    ]
    play(config(), flows, {8 * DAY: set(), 9 * DAY: set(), 10 * DAY: set()}, tmp_path)


def _groups(*groups: tuple[str, float, float], begins: float = 0.0, name: str = "late") -> list[Flow]:
    return [
        Flow(
            labels={"user_segment": group},
            answers=answers,
            flagged=flagged,
            begins=begins if group == name else 0.0,
        )
        for group, answers, flagged in groups
    ]


def test_a_segment_that_is_treated_worse_fires_and_one_of_many_that_is_not_does_not(tmp_path: Path) -> None:
    alike = _groups(*((f"group-{number}", 10.0, 0.02) for number in range(8)))
    play(config(), alike, {2 * DAY: set(), 8 * DAY: set()}, tmp_path)
    worse = [*alike[1:], *_groups(("group-0", 10.0, 0.12))]
    settings = {"hallucination_rate": 0.5}
    play(config(settings), worse, {2 * DAY: {("BiasDetected", "shop")}, 8 * DAY: {("BiasDetected", "shop")}}, tmp_path)


def test_a_small_segment_is_not_compared(tmp_path: Path) -> None:
    flows = _groups(("large", 40.0, 0.02), ("small", 0.25, 0.5))
    play(config(), flows, {2 * DAY: set(), 7 * DAY: set()}, tmp_path)


def test_folded_and_missing_segments_are_not_compared(tmp_path: Path) -> None:
    flows = _groups(("a", 20.0, 0.02), ("b", 20.0, 0.02), ("__other__", 20.0, 0.3), ("", 20.0, 0.3))
    play(config({"hallucination_rate": 0.5}), flows, {2 * DAY: set(), 7 * DAY: set()}, tmp_path)


def test_a_segment_that_appears_late_is_compared_from_then_on(tmp_path: Path) -> None:
    flows = _groups(("early", 30.0, 0.02), ("other", 30.0, 0.02), ("late", 20.0, 0.2), begins=3 * DAY)
    settings = {"hallucination_rate": 0.5}
    play(config(settings), flows, {3 * DAY: set(), 5 * DAY: {("BiasDetected", "shop")}}, tmp_path)


def test_only_the_chosen_values_of_a_segment_are_compared(tmp_path: Path) -> None:
    flows = _groups(("free", 20.0, 0.02), ("paid", 20.0, 0.02), ("internal", 20.0, 0.3))
    settings = {"segments": {"user.segment": ["free", "paid"]}, "hallucination_rate": 0.5}
    play(config(settings), flows, {2 * DAY: set(), 7 * DAY: set()}, tmp_path)


def test_failures_of_the_evaluation_fire_at_once_and_usual_ones_do_not(tmp_path: Path) -> None:
    flows = [
        Flow(evaluator="toxicity", answers=100, failed=lambda hour: 0.005 if hour < 9 * DAY else 0.1),
        Flow(evaluator="relevance", answers=100, failed=0.005),
    ]
    fires = {("EvaluationErrorSpike", "")}
    play(config(), flows, {2 * DAY: set(), 9 * DAY: set(), 9 * DAY + 1: fires, 9 * DAY + 6: fires}, tmp_path)


def test_as_many_failures_as_always_are_no_spike(tmp_path: Path) -> None:
    """They alert while there is no past to compare with, and never after."""
    flows = [Flow(evaluator="toxicity", answers=100, failed=0.04)]
    play(config(), flows, {1: set(), 10 * DAY: set(), 12 * DAY: set()}, tmp_path)


def test_answers_that_could_have_been_scored_and_were_not_count_against_coverage(tmp_path: Path) -> None:
    flows = [
        Flow(service="dark", skipped={"content_not_captured": 0.3}),
        Flow(service="plain", skipped={"no_context": 0.9, "duplicate": 0.05}),
    ]
    play(config(), flows, {2: {("CoverageLow", "dark")}, DAY: {("CoverageLow", "dark")}}, tmp_path)


def test_coverage_that_falls_fires_though_it_is_above_its_threshold(tmp_path: Path) -> None:
    flows = [Flow(answers=100, skipped={"overloaded": lambda hour: 0.02 if hour < 8 * DAY else 0.3})]
    settings = {"coverage": 0.5}
    fires = {("CoverageFalling", "shop")}
    play(config(settings), flows, {8 * DAY: set(), 8 * DAY + 2: fires, 8 * DAY + 3: fires}, tmp_path)


def test_a_service_that_falls_silent_on_a_working_day_fires_and_a_weekend_does_not(tmp_path: Path) -> None:
    stops = 15 * DAY + 10  # a Tuesday

    def answers(hour: float) -> float:
        return office_hours(60)(hour) if hour < stops else 0.0

    expected = {hour: set[tuple[str, str]]() for hour in (5 * DAY + 12, 7 * DAY + 12, 12 * DAY + 12, 14 * DAY + 7)}
    fires = {("ServiceSilent", "shop")}
    play(config(), [Flow(answers=answers)], {**expected, stops: set(), stops + 3: fires}, tmp_path)


def test_a_listed_service_is_missed_even_if_it_was_never_heard_of(tmp_path: Path) -> None:
    settings = {"services": {"shop": {"silence": "3h"}, "never": {"silence": "6h"}}}
    flows = [Flow(answers=lambda hour: 20.0 if hour < 10 else 0.0)]
    expected = {
        9: {("ListedServiceSilent", "never")},
        12: {("ListedServiceSilent", "never")},
        14: {("ListedServiceSilent", "never"), ("ListedServiceSilent", "shop")},
    }
    play(config(settings), flows, expected, tmp_path)


def test_silence_of_every_gateway_fires_even_if_none_was_ever_scraped(tmp_path: Path) -> None:
    play(config(), [], {3: {("GatewaySilent", "")}}, tmp_path, gateway=False)


def _last(metric: str, values: list[float | None]) -> dict[str, list[float | None]]:
    labels = 'gen_ai_evaluation_name="toxicity",service_name="shop"'
    return {f"agent_eval_{metric}_timestamp_seconds{{{labels}}}": values}


def test_the_first_toxic_answer_fires_though_its_series_begins_with_it(tmp_path: Path) -> None:
    """The series is born at the failure: no increase, and no second sample before the page."""
    seconds = 3 * 3600.0 - 60
    born = [None] * 6 + [seconds] * 10
    fires = {("ToxicityDetected", "shop"), ("ToxicityFlagged", "shop")}
    series = {**_last("last_severe_failure", born), **_last("last_failure", born)}
    play(config(), [], {2: set(), 3: fires, 4: set(), 7: set()}, tmp_path, more=series)


def test_a_doubtful_answer_wakes_nobody(tmp_path: Path) -> None:
    times = [0.0] * 6 + [3 * 3600.0 - 60] * 10
    series = {**_last("last_severe_failure", [0.0] * 16), **_last("last_failure", times)}
    play(config(), [], {2: set(), 3: {("ToxicityFlagged", "shop")}, 4: set()}, tmp_path, more=series)


def test_a_toxic_answer_is_remembered_when_the_gateway_dies_right_after(tmp_path: Path) -> None:
    times = [*[0.0] * 5, 3 * 3600.0 - 1860, *[None] * 10]
    series = {**_last("last_severe_failure", times), **_last("last_failure", times)}
    fires = {("ToxicityDetected", "shop"), ("ToxicityFlagged", "shop")}
    play(config({"hold": "1h"}), [], {3: fires, 4: set()}, tmp_path, more=series)
