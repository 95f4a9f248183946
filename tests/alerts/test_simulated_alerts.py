"""benchmarks/alerts.py computes what the rules compute, and counts as it says."""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from alert_configs import config
from days_of_traffic import STEPS, Flow

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))

import alerts as simulation
import error_rates as measured

from otel_agent_eval.alerts.error_rates import wilson
from otel_agent_eval.alerts.recording import Recordings
from otel_agent_eval.alerts.render import render
from otel_agent_eval.config.alerts import Alerts

COUNTS = {"bad": 1000, "bad_flagged": 900, "good": 10_000, "good_flagged": 300}
"""Those of the simulation's good detector."""
HOURS = 30
POINTS = [(60.0, 0.02), (60.0, 0.3), (400.0, 0.08), (4000.0, 0.085), (400.0, 1.0), (51.0, 0.0)]


def test_the_interval_is_that_of_the_package() -> None:
    for hits, total in ((0, 60), (5, 60), (60, 60), (800, 10_000)):
        low, high = wilson(hits, total, simulation.Z)
        share, number = np.array([hits / total]), np.array([float(total)])
        assert simulation.wilson(share, number, -1)[0] == pytest.approx(low, abs=1e-9)
        assert simulation.wilson(share, number, 1)[0] == pytest.approx(high, abs=1e-9)


def test_few_answers_have_no_bound() -> None:
    assert np.isnan(simulation.wilson(np.array([0.5]), np.array([49.0]), -1)[0])


@pytest.mark.debian
@pytest.mark.timeout(600)
def test_prometheus_computes_the_same_numbers(tmp_path: Path) -> None:
    flows = [
        Flow(service=f"s{number}", answers=answers, flagged=flagged, score=0.3, skipped={"overloaded": 0.1})
        for number, (answers, flagged) in enumerate(POINTS)
    ]
    groups = [(300.0, 0.05), (100.0, 0.2), (80.0, 0.05), (1.0, 0.5)]
    flows += [
        Flow(service="split", labels={"user_segment": f"g{number}"}, answers=answers, flagged=flagged)
        for number, (answers, flagged) in enumerate(groups)
    ]
    tests = [_equals(series, value) for series, value in (*_rates(), *_chi_squared(groups))]
    small = 'absent(agent_eval:segment_flagged:ratio{segment_value="g3"})'
    tests.append({"expr": small, "exp_samples": [{"labels": '{segment_value="g3"}', "value": 1}]})
    most = Recordings(Alerts(), {"test/evaluator@1": simulation.GOOD_DETECTOR}, {"user.segment": ()})
    bound = most.max_series(evaluators=1, combinations=len(flows)) + 3 * 4  # the detectors that come with the package
    counted = f'count({{__name__=~"agent_eval:.+"}}) <= bool {bound}'
    tests.append({"expr": counted, "exp_samples": [{"labels": "{}", "value": 1}]})
    values = {name: line for flow in flows for name, line in flow.series(HOURS, ()).items()}
    _promtool(tmp_path, values, tests)


def _rates() -> Iterable[tuple[str, float]]:
    for number, (answers, flagged) in enumerate(POINTS):
        total = np.array([answers * 0.9])
        low, high = (float(simulation.wilson(np.array([flagged]), total, side)[0]) for side in (-1, 1))
        about = f'{{service_name="s{number}",window="1h"}}'
        if total[0] < 50:
            continue
        yield f"agent_eval:flagged:ratio_lower{about}", low
        yield f"agent_eval:flagged:ratio_upper{about}", high
        true = simulation.corrected(np.array([low]), simulation.GOOD_DETECTOR)
        yield f"agent_eval:corrected:ratio_lower{about}", float(true[0])
        mean = simulation.wilson(np.array([0.3]), total, 1)
        yield f"agent_eval:score:mean_upper{about}", float(mean[0])
        covered = simulation.wilson(np.array([0.9]), np.array([answers]), 1)
        yield f"agent_eval:coverage:ratio_upper{about}", float(covered[0])


def _chi_squared(groups: list[tuple[float, float]]) -> Iterable[tuple[str, float]]:
    total = np.array([answers * 24 for answers, _ in groups])
    hits = np.array([answers * 24 * flagged for answers, flagged in groups])
    found = simulation.chi_squared(hits, total, hits.sum() - hits, total.sum() - total)
    assert np.isnan(found).tolist() == [False, False, False, True]
    for number, value in enumerate(found[:3]):
        yield f'agent_eval:segment:chi_squared{{segment_value="g{number}",window="1d"}}', float(value)


def _equals(series: str, value: float) -> dict[str, Any]:
    expression = f"count(abs({series} - {value!r}) < 1e-4 * (1 + {value!r}))"
    return {"expr": expression, "exp_samples": [{"labels": "{}", "value": 1}]}


def _promtool(folder: Path, values: dict[str, list[float | None]], tests: list[dict[str, Any]]) -> None:
    files = render(config({"error_rates": {"test/evaluator@1": COUNTS}}))
    for name, text in files.items():
        (folder / name).write_text(text)
    assert len(tests) > 25
    document = {
        "rule_files": list(files),
        "evaluation_interval": "1h",
        "group_eval_order": [g["name"] for text in files.values() for g in yaml.safe_load(text)["groups"]],
        "tests": [
            {
                "interval": f"{60 // STEPS}m",
                "input_series": [
                    {"series": name, "values": " ".join("_" if v is None else repr(v) for v in line)}
                    for name, line in values.items()
                ],
                "promql_expr_test": [{**test, "eval_time": f"{HOURS}h"} for test in tests],
            }
        ],
    }
    (folder / "test.yml").write_text(yaml.safe_dump(document, width=1 << 20))
    command = ["promtool", "test", "rules", str(folder / "test.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]


def test_sums_over_a_window_end_with_each_step() -> None:
    values = np.array([[1, 2, 3, 4, 5]])
    assert simulation.over(values, 1800).tolist() == [[1, 3, 5, 7, 9]]


def test_what_was_there_earlier_is_unknown_before_the_beginning() -> None:
    found = simulation.earlier(np.array([[1.0, 2.0, 3.0]]), 1800)
    assert np.isnan(found[0, :2]).all()
    assert found[0, 2] == 1


def test_an_alarm_that_pauses_for_one_step_is_one_alarm() -> None:
    fires = np.zeros((1, (simulation.WARM_UP + 30) * simulation.STEPS_A_DAY), dtype=bool)
    start = simulation.WARM_UP * simulation.STEPS_A_DAY
    fires[0, [0, 5]] = True  # in the warm-up: not counted
    fires[0, [start + 10, start + 12, start + 20]] = True
    assert simulation.episodes(fires) == 2


def test_the_delay_is_counted_from_the_change_on() -> None:
    fires = np.zeros((3, (simulation.WARM_UP + 30) * simulation.STEPS_A_DAY), dtype=bool)
    start = simulation.WARM_UP * simulation.STEPS_A_DAY
    assert simulation.days_until(fires) is None
    fires[:2, start + 47] = True
    assert simulation.days_until(fires) == 0.5


def test_error_rates_are_read_by_what_label_1_means() -> None:
    cells = {"tp": 80, "fp": 30, "fn": 20, "tn": 70}
    rows = [{"kind": kind, "name": name, "confusion": cells} for kind, names in measured.SETS.items() for name in names]
    alarms = {"answers": [2, 500], "template refusals": [5, 100], "dialogue": [4, 300]}
    versions = {name: {"version": f"builtin/{name}@7"} for name in measured.SETS}
    quality = {"results": rows, "false_alarms": alarms, "evaluators": versions}
    found = yaml.safe_load("".join(measured.entries(quality)))
    assert found["builtin/faithfulness@7"] == {"bad": 100, "bad_flagged": 70, "good": 100, "good_flagged": 20}
    assert found["builtin/toxicity@7"] == {"bad": 200, "bad_flagged": 160, "good": 800, "good_flagged": 6}
    with pytest.raises(ValueError, match="lacks some of"):
        list(measured.entries(quality | {"results": rows[1:]}))
