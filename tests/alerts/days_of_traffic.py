"""Days of a gateway's numbers, played through the rendered rules by promtool."""

import math
import re
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from otel_agent_eval.alerts.render import render
from otel_agent_eval.config import Config

STEPS = 2
"""Samples in an hour."""
DAY = 24
Number = float | Callable[[float], float]
"""A constant, or what it is at an hour."""

Firing = tuple[str, str]
"""An alert's name without `AgentEval`, and its service."""


@dataclass(frozen=True)
class Flow:
    """What one evaluator says of a service's answers: `answers` an hour, `flagged` and `failed` shares, mean `score`.

    `skipped` holds the share of answers that were skipped, by reason. `begins` is the hour at which the first is seen.
    """

    evaluator: str = "faithfulness"
    version: str = "test/evaluator@1"
    service: str = "shop"
    labels: Mapping[str, str] = field(default_factory=dict)
    answers: Number = 40.0
    flagged: Number = 0.0
    failed: Number = 0.0
    score: Number = 0.9
    skipped: Mapping[str, Number] = field(default_factory=dict)
    begins: float = 0.0
    weight: float = 1.0

    def series(self, hours: int, restarts: Iterable[float]) -> dict[str, list[float | None]]:
        shared = {
            "gen_ai_evaluation_name": self.evaluator,
            "agent_eval_evaluator": self.version,
            "service_name": self.service,
            **self.labels,
        }
        found: dict[str, list[float | None]] = {}

        def count(metric: str, endings: Mapping[str, str], rate: Callable[[float], float]) -> None:
            found[_selector(metric, {**shared, **endings})] = _counter(hours, rate, self.begins, restarts)

        def scored(hour: float) -> float:
            lost = at(self.failed, hour) + sum(at(share, hour) for share in self.skipped.values())
            return at(self.answers, hour) * (1 - lost)

        rates: dict[tuple[str, str, str], Callable[[float], float]] = {
            ("scored", "fail", ""): lambda hour: scored(hour) * at(self.flagged, hour),
            ("scored", "pass", ""): lambda hour: scored(hour) * (1 - at(self.flagged, hour)),
            ("failed", "", ""): lambda hour: at(self.answers, hour) * at(self.failed, hour),
        }
        for reason, share in self.skipped.items():
            rates["skipped", "", reason] = lambda hour, share=share: at(self.answers, hour) * at(share, hour)
        for (outcome, label, reason), rate in rates.items():
            names = ("agent_eval_outcome", "gen_ai_evaluation_score_label", "agent_eval_reason")
            endings = {name: value for name, value in zip(names, (outcome, label, reason), strict=True) if value}
            count("agent_eval_evaluations_raw_total", endings, rate)
            count("agent_eval_evaluations_total", endings, lambda hour, rate=rate: self.weight * rate(hour))
        count("agent_eval_score_count", {}, scored)
        count("agent_eval_score_sum", {}, lambda hour: scored(hour) * at(self.score, hour))
        return found


def at(number: Number, hour: float) -> float:
    return number(hour) if callable(number) else number


def office_hours(answers: float) -> Callable[[float], float]:
    """So many answers an hour from 8 to 18 o'clock, and none at night and at the weekend; hour 0 is a Monday's."""
    return lambda hour: answers if hour // DAY % 7 < 5 and 8 <= hour % DAY < 18 else 0.0


def play(
    config: Config,
    flows: Iterable[Flow],
    expected: Mapping[int, set[Firing]],
    folder: Path,
    *,
    restarts: Iterable[float] = (),
    more: Mapping[str, list[float | None]] | None = None,
    gateway: bool = True,
) -> None:
    """Check which alerts fire at which hours, that none ever becomes NaN, and that Prometheus takes the rules.

    `more` holds further series by selector; without `gateway` nothing is scraped at all.
    """
    hours = max(expected)
    series: dict[str, list[float | None]] = {}
    if gateway:
        received = _counter(hours, lambda _: 100.0, 0, restarts)
        series['agent_eval_gateway_received_total{agent_eval_signal="traces"}'] = received
        series['up{job="otel-agent-eval",instance="a"}'] = [1.0] * (hours * STEPS + 1)
    for flow in flows:
        series |= flow.series(hours, restarts)
    series |= more or {}
    files = render(config)
    groups = [group["name"] for text in files.values() for group in yaml.safe_load(text)["groups"]]
    for name, text in files.items():
        (folder / name).write_text(text)
    test = {
        "rule_files": sorted(files, reverse=True),
        "evaluation_interval": f"{_pace(expected)}h",
        "group_eval_order": groups,
        "tests": [
            {
                "interval": f"{60 // STEPS}m",
                "input_series": [{"series": name, "values": _values(values)} for name, values in series.items()],
                "promql_expr_test": [*_firing(expected), *_never_nan(files, expected)],
            }
        ],
    }
    (folder / "test.yml").write_text(yaml.safe_dump(test, width=1 << 20))
    command = ["promtool", "test", "rules", str(folder / "test.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]


def _pace(hours: Iterable[int]) -> int:
    """How many hours may lie between two evaluations, so that each hour of interest has one: at most six."""
    common = math.gcd(*hours)
    return max(pace for pace in range(1, 7) if common % pace == 0)


def _firing(expected: Mapping[int, set[Firing]]) -> Iterable[dict[str, Any]]:
    others = 'alertstate="firing",alertname!="AgentEvalHeartbeat"'
    for hour, alerts in expected.items():
        samples = [
            {"labels": _selector("", {"alertname": f"AgentEval{name}", "service_name": service}), "value": 1}
            for name, service in alerts
        ]
        expression = f"group by (alertname, service_name) (ALERTS{{{others}}})"
        yield {"expr": expression, "eval_time": f"{hour}h", "exp_samples": samples}
        heartbeat = 'count(ALERTS{alertname="AgentEvalHeartbeat",alertstate="firing"})'
        yield {"expr": heartbeat, "eval_time": f"{hour}h", "exp_samples": [{"labels": "{}", "value": 1}]}


def _never_nan(files: Mapping[str, str], hours: Iterable[int]) -> Iterable[dict[str, Any]]:
    names = sorted({name for text in files.values() for name in re.findall(r"record: (\S+)", text)})
    expression = " or ".join(f"count({name} != {name})" for name in names)
    for hour in hours:
        yield {"expr": expression, "eval_time": f"{hour}h", "exp_samples": []}


def _counter(
    hours: int, rate: Callable[[float], float], begins: float, restarts: Iterable[float]
) -> list[float | None]:
    """Samples of a counter that grows by `rate` an hour, and starts anew at restarts."""
    values: list[float | None] = []
    total, anew = 0.0, set(restarts)
    for step in range(hours * STEPS + 1):
        hour = step / STEPS
        if hour < begins:
            values.append(None)
            continue
        total += rate(hour - 1 / STEPS) / STEPS if hour > begins else 0.0
        total = 0.0 if hour in anew else total
        values.append(total)
    return values


def _selector(metric: str, labels: Mapping[str, str]) -> str:
    return metric + "{" + ",".join(f'{name}="{value}"' for name, value in labels.items() if value) + "}"


def _values(values: Iterable[float | None]) -> str:
    return " ".join("_" if value is None else f"{value:.6g}" for value in values)
