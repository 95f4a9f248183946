"""From the answer to the page: for each alert one scenario that must fire it, and one that nearly does and must not.

A real gateway, Prometheus and Alertmanager. The rules are those of `alerts render` with windows of seconds in place of
hours; Alertmanager's configuration is the one in examples/alertmanager with shorter waits. `pytest -s` prints how long
each page took.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from service.service_samples import answer, traces
from support.alerting import Prometheus, Webhook, alertmanager, prometheus, webhook
from support.gateway import RunningGateway, configuration, gateway
from support.otlp_sink import OtlpSink

from otel_agent_eval.alerts.render import render
from otel_agent_eval.config import loads

pytestmark = [pytest.mark.debian, pytest.mark.timeout(400)]
ROOT = Path(__file__).parents[2]
RECORDINGS = sorted((ROOT / "tests" / "recordings").glob("*/default/traces-*.bin"))
"""Real agents' traces, among the others: few answers of each, so nothing is to be said of them."""
FAILS, PASSES = "faithfulness=0.1", "fine"
SECONDS = 105
STOPS = 70
"""When the service that falls silent stops, and others change; the past needs the longest window (60 s)."""


def every(number: int, text: str) -> Callable[[int], list[str]]:
    """Five answers a second, one in `number` of which is the text."""
    return lambda second: [text if (second * 5 + i) % number == number - 1 else PASSES for i in range(5)]


def from_then_on(text: str) -> Callable[[int], list[str]]:
    return lambda second: [text if second >= STOPS else PASSES] * 5


SERVICES: Mapping[str, Callable[[int], list[str]]] = {
    "steady": lambda second: [*[PASSES] * 4, "faithfulness=raise" if second % 4 == 0 else PASSES],
    "hallucinates": every(3, FAILS),
    "hallucinates-nearly": every(20, FAILS),
    "one-of-ten": lambda second: [FAILS] + [PASSES] * 9 if second == 10 else [],
    "irrelevant": every(1, "relevance=0.2"),
    "irrelevant-nearly": every(1, "relevance=0.55"),
    "falls": from_then_on("relevance=0.3"),
    "dips": from_then_on("relevance=0.85"),
    "dark": every(2, ""),
    "dark-nearly": every(20, ""),
    "darkens": from_then_on(""),
    "breaks": from_then_on("relevance=raise"),
    "stops": lambda second: [PASSES] * 5 if second < STOPS else [],
    "toxic": lambda second: ["toxicity=0.95"] if second == 20 else [],
    "doubtful": lambda second: ["toxicity=0.7"] if second == 20 else [],
}
"""What each service says in each second; the empty text was not captured."""
FIRES = {
    ("ToxicityDetected", "toxic"): 20,
    ("ToxicityFlagged", "doubtful"): 20,
    ("HighHallucinationRate", "hallucinates"): 0,
    ("RelevanceLow", "irrelevant"): 0,
    ("RelevanceFalling", "falls"): STOPS,
    ("BiasDetected", "unequal"): 0,
    ("EvaluationErrorSpike", ""): STOPS,
    ("CoverageLow", "dark"): 0,
    ("CoverageFalling", "darkens"): STOPS,
    ("ServiceSilent", "stops"): STOPS,
    ("ListedServiceSilent", "never"): 0,
    ("Heartbeat", ""): 0,
}
"""What must fire, and the second from which on there is reason to."""
CONSEQUENCES = {
    ("CoverageLow", "breaks"),
    ("CoverageFalling", "breaks"),
    ("CoverageLow", "darkens"),
    ("RelevanceLow", "falls"),
}
"""What may fire beside it, depending on what is seen first."""
ALERTS: Mapping[str, Any] = {
    "evaluators": {name: f"stub_{name}" for name in ("toxicity", "faithfulness", "relevance")},
    "windows": ["15s", "30s", "60s"],
    "min_answers": 20,
    "hold": "10s",
    "services": {
        "falls": {"relevance_mean": 0.05},
        "unequal": {"hallucination_rate": 0.9},
        "darkens": {"coverage": 0.05},
        "never": {"silence": "30s"},
        "steady": {"silence": "30s"},
    },
}


@pytest.fixture(autouse=True)
def _stub_evaluators(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Registers the stubs for gateways that the test starts."""
    info = tmp_path / "stub_evaluators-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stub-evaluators\nVersion: 1.0\n")
    names = ("toxicity", "faithfulness", "relevance")
    points = "".join(f"stub_{name} = stub_evaluators:{name}\n" for name in names)
    (info / "entry_points.txt").write_text(f"[otel_agent_eval.evaluators]\n{points}")
    paths = [str(tmp_path), str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    monkeypatch.syspath_prepend(str(tmp_path))


def report(line: str) -> None:
    """Show a measurement where pytest runs with -s."""
    sys.stdout.write(f"\n{line}")


@pytest.fixture
def pager() -> Iterator[Webhook]:
    with webhook() as found:
        yield found


def exporters(sink: OtlpSink) -> dict[str, Any]:
    return {"otlphttp": {"endpoint": sink.http_endpoint}}


def alertmanager_example(url: str) -> dict[str, Any]:
    """The example, with its waits shortened and its webhooks at `url`."""
    text = (ROOT / "examples" / "alertmanager" / "alertmanager.yml").read_text()
    config: dict[str, Any] = yaml.safe_load(text.replace("http://127.0.0.1:9099", url))
    for route in (config["route"], *config["route"]["routes"]):
        route |= {"group_wait": "1s", "group_interval": "1s"}
    return config


def said(service: str, texts: list[str], **attributes: str) -> ExportTraceServiceRequest:
    """Make the answers of a service; those without text were not captured."""
    spans = [
        answer(*([f"{text} {number}"] if text else []), attributes=attributes) for number, text in enumerate(texts)
    ]
    return traces(*spans, service=service)


def send(client: httpx.Client, running: RunningGateway, *requests: ExportTraceServiceRequest) -> None:
    """Send them as one request."""
    together = ExportTraceServiceRequest()
    for request in requests:
        together.MergeFrom(request)
    headers = {"content-type": "application/x-protobuf"}
    url = f"{running.http_endpoint}/v1/traces"
    client.post(url, content=together.SerializeToString(), headers=headers).raise_for_status()


def test_each_alert_fires_for_its_reason_and_not_for_nearly_that(
    pager: Webhook, otlp_sink: OtlpSink, tmp_path: Path
) -> None:
    stubs = {f"stub_{name}": {} for name in ("toxicity", "faithfulness", "relevance")}
    stubs["stub_toxicity"] = {"paging_threshold": 0.9}
    config = configuration(
        exporters(otlp_sink), {"evaluators": stubs, "segments": ["user.segment"], "score_deadline": "60s"}
    )
    config["alerts"] = dict(ALERTS)
    rules = render(loads(yaml.safe_dump(config), "test", {}).config)
    address = config["service"]["telemetry"]["metrics"]["address"]
    with alertmanager(alertmanager_example(pager.url), tmp_path) as manager, ExitStack() as gateways:
        running = gateways.enter_context(gateway(config, tmp_path))
        with prometheus(tmp_path, target=address, rules=rules, alertmanager=manager) as server:
            began = _flow(running)
            for name, service in FIRES:
                pager.wait(name, service)
            assert [rule["name"] for rule in server.rules() if rule["health"] != "ok"] == []
            _never_nan(server, rules)
            fired = {(page.name, page.service) for page in pager.pages if page.status == "firing"}
            stopped = time.time()
            gateways.close()
            silent = pager.wait("GatewaySilent")
    assert fired - CONSEQUENCES - {("GatewaySilent", "")} == FIRES.keys()
    assert {page.receiver for page in pager.pages if page.name == "ToxicityDetected"} == {"pager"}
    assert {page.receiver for page in pager.pages if page.name == "ToxicityFlagged"} == {"chat"}
    for (name, service), second in FIRES.items():
        report(
            f"{name:22} {service:14} {pager.wait(name, service).arrived - began - second:6.1f} s after its reason began"
        )
    report(f"{'GatewaySilent':22} {'':14} {silent.arrived - stopped:6.1f} s after the gateway stopped")


def _flow(running: RunningGateway) -> float:
    """Let all services talk, second by second; return the Unix time at which they began."""
    began = time.time()
    recorded = cycle(ExportTraceServiceRequest.FromString(path.read_bytes()) for path in RECORDINGS)
    with httpx.Client(timeout=30) as client:
        for second, real in zip(range(SECONDS), recorded, strict=False):
            now = [real, *(said(service, texts) for service, says in SERVICES.items() if (texts := says(second)))]
            for service, worse in (("unequal", [FAILS, PASSES]), ("equal", [PASSES])):
                now.append(said(service, [*worse, PASSES, PASSES], **{"user.segment": "a"}))
                now.append(said(service, [PASSES] * 4, **{"user.segment": "b"}))
            send(client, running, *now)
            time.sleep(max(0.0, began + second + 1 - time.time()))
    return began


def _never_nan(server: Prometheus, rules: Mapping[str, str]) -> None:
    recorded = {rule["record"] for text in rules.values() for group in yaml.safe_load(text)["groups"]
                for rule in group["rules"] if "record" in rule}  # fmt: skip
    for name in recorded:
        assert server.query(f"{name} != {name}") == [], name


def test_the_first_toxic_answer_after_start_pages_with_the_real_model(
    pager: Webhook, otlp_sink: OtlpSink, tmp_path: Path
) -> None:
    config = configuration(exporters(otlp_sink), {"evaluators": {"toxicity": {}}})
    rules = render(loads(yaml.safe_dump(config), "test", {}).config)
    address = config["service"]["telemetry"]["metrics"]["address"]
    with (
        alertmanager(alertmanager_example(pager.url), tmp_path) as manager,
        gateway(config, tmp_path) as running,
        prometheus(tmp_path, target=address, rules=rules, alertmanager=manager),
        httpx.Client(timeout=30) as client,
    ):
        pager.wait("Heartbeat")
        send(client, running, said("kind", ["That was a killer of a question! The knife is in the kitchen drawer."]))
        sent = time.time()
        send(client, running, said("rude", ["You are a stupid, worthless idiot. Shut up and get lost, moron."]))
        page = pager.wait("ToxicityDetected", "rude")
    report(f"the first toxic answer of all paged after {page.arrived - sent:.1f} s: {page.annotations['summary']}")
    assert {page.service for page in pager.pages if page.name.startswith("Toxicity")} == {"rude"}
    assert page.annotations["runbook_url"].endswith("/toxicity.md")
    assert "rude" in page.annotations["query_url"]
