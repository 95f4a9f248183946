"""What model workers log is written by the gateway: at its level and in its form, as a reload has left them."""

import json
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from live_process import Process
from service_samples import answer, traces
from support.gateway import configuration
from support.otlp_sink import OtlpSink
from support.processes import wait_until

from otel_agent_eval.signals import Signal


def reloads(gateway: Process) -> int:
    address = gateway.config["service"]["telemetry"]["metrics"]["address"]
    count: int = httpx.get(f"http://{address}/status?format=json").json()["config"]["reloads"]
    return count


def log_of_a_failure(gateway: Process, sink: OtlpSink) -> str:
    """Have an evaluation fail in the process of the models, and return what the log says since."""
    before, arrived = len(gateway.log.read_text()), len(sink.spans())
    assert gateway.send(traces(answer("raise Xanadu"))) == 200
    sink.wait(Signal.TRACES, arrived + 1)
    return gateway.log.read_text()[before:]


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ({"level": "info", "encoding": "console"}, {"level": "error", "encoding": "json"}),
        ({"level": "error", "encoding": "console"}, {"level": "info", "encoding": "json"}),
        ({"level": "info", "encoding": "json"}, {"level": "info", "encoding": "console"}),
    ],
)
def test_a_reload_reaches_it(first: dict[str, Any], then: dict[str, Any], otlp_sink: OtlpSink, tmp_path: Path) -> None:
    config = configuration({"otlphttp": {"endpoint": otlp_sink.http_endpoint}}, {"evaluators": {"rudeness": {}}})
    config["service"]["telemetry"]["logs"] = first
    gateway = Process(config, tmp_path)
    try:
        gateway.ready()
        check(log_of_a_failure(gateway, otlp_sink), **first)
        config["service"]["telemetry"]["logs"] = then
        gateway.file.write_text(yaml.safe_dump(config))
        gateway.popen.send_signal(signal.SIGHUP)
        wait_until(lambda: reloads(gateway) == 1, 30, "the reload")
        check(log_of_a_failure(gateway, otlp_sink), **then)
    finally:
        gateway.end()


def check(log: str, *, level: str, encoding: str) -> None:
    failures = [line for line in log.splitlines() if "evaluator failed" in line]
    assert len(failures) == (1 if level == "info" else 0)
    assert all(line.startswith("{") == (encoding == "json") for line in log.splitlines())
    assert all(json.loads(line)["error_type"] == "KeyError" for line in failures if encoding == "json")
