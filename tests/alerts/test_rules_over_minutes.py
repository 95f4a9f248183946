"""What fires within minutes: the rules as they are, looked at every 15 seconds."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from alert_configs import config

from otel_agent_eval.alerts.render import render

pytestmark = [pytest.mark.debian, pytest.mark.timeout(600)]
UP = 'up{job="otel-agent-eval",instance="a:8888"}'
RECEIVED = 'agent_eval_gateway_received_total{instance="a:8888"}'
SEVERE = 'agent_eval_last_severe_failure_timestamp_seconds{gen_ai_evaluation_name="toxicity",service_name="shop"}'


def check(folder: Path, series: Mapping[str, str], expected: Mapping[str, tuple[str, int]]) -> None:
    """Play series (a sample every 15 s), and check how many alerts of a name fire at a time."""
    files = render(config())
    for name, text in files.items():
        (folder / name).write_text(text)
    document = {
        "rule_files": list(files),
        "evaluation_interval": "15s",
        "tests": [
            {
                "interval": "15s",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "promql_expr_test": [
                    {
                        "expr": f'count(ALERTS{{alertname="AgentEval{name}",alertstate="firing"}}) or vector(0)',
                        "eval_time": time,
                        "exp_samples": [{"labels": "{}", "value": count}],
                    }
                    for time, (name, count) in expected.items()
                ],
            }
        ],
    }
    (folder / "test.yml").write_text(yaml.safe_dump(document))
    command = ["promtool", "test", "rules", str(folder / "test.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_gateway_that_misses_some_scrapes_is_not_silent_and_one_that_stays_away_is(tmp_path: Path) -> None:
    """Down for a minute from 5m on, and for good from 10m on; its series go stale with it."""
    series = {UP: "1x19 0x3 1x15 0x40", RECEIVED: "0+10x19 stale _x3 200+10x14 stale _x40"}
    times = {"5m30s": 0, "6m": 0, "9m": 0, "11m": 0, "12m30s": 1, "15m": 1}
    check(tmp_path, series, {time: ("GatewaySilent", count) for time, count in times.items()})


def test_one_dead_gateway_of_two_is_one_alert(tmp_path: Path) -> None:
    other = {name.replace("a:8888", "b:8888"): values for name, values in ((UP, "1x40"), (RECEIVED, "0+10x40"))}
    check(tmp_path, {UP: "0x40", **other}, {"5m": ("GatewaySilent", 1)})


def test_a_toxic_answer_fires_at_the_next_look_and_until_its_time_is_up(tmp_path: Path) -> None:
    """Toxic at 60 s, seen by the scrape at 75 s; held for half an hour."""
    series = {UP: "1x200", RECEIVED: "0+10x200", SEVERE: "_x5 60x200"}
    times = {"1m": 0, "1m15s": 1, "20m": 1, "30m45s": 1, "31m15s": 0}
    check(tmp_path, series, {time: ("ToxicityDetected", count) for time, count in times.items()})


def test_a_second_toxic_answer_holds_the_alert_longer(tmp_path: Path) -> None:
    series = {UP: "1x300", RECEIVED: "0+10x300", SEVERE: "_x4 60x59 960x240"}  # again at 16m
    check(
        tmp_path,
        series,
        {"32m": ("ToxicityDetected", 1), "45m": ("ToxicityDetected", 1), "47m": ("ToxicityDetected", 0)},
    )
