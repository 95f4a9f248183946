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
from support.processes import wait_until

from otel_agent_eval.alerts.render import render
from otel_agent_eval.config import loads

pytestmark = [pytest.mark.debian, pytest.mark.timeout(400)]
ROOT = Path(__file__).parents[2]
RECORDINGS = sorted((ROOT / "tests" / "recordings").glob("*/default/traces-*.bin"))
"""Real agents' traces, one in five seconds: few answers of each, so nothing is to be said of them."""
FAILS, PASSES = "faithfulness=0.1", "fine"
A_SECOND = 3
"""Answers of a service in each second: few, for a gateway that cannot keep up has alerts of its own."""
SECONDS = 105
MOST_SECONDS = 240
"""They talk for so long at least, and until every page has come: silence would be a reason of its own."""
STOPS = 70
"""When the service that falls silent stops, and others change; the past needs the longest window (60 s)."""


def every(number: int, text: str) -> Callable[[int], list[str]]:
    """One of `number` answers is the text."""

    def says(second: int) -> list[str]:
        numbers = range(second * A_SECOND, (second + 1) * A_SECOND)
        return [text if at % number == number - 1 else PASSES for at in numbers]

    return says


def from_then_on(text: str) -> Callable[[int], list[str]]:
    return lambda second: [text if second >= STOPS else PASSES] * A_SECOND


def nearly(second: int) -> list[str]:
    """Answers that nearly are a reason: some without support, some not captured, poor ones, one that is rather rude."""
    texts = {0: ["relevance=0.55 faithfulness=0.1"], 3: [""], 20: ["toxicity=0.45"]}
    own = texts.get(second, texts.get(second % 6, []))
    return [*own, *["relevance=0.55"] * (A_SECOND - len(own))]


def nearly_changes(second: int) -> list[str]:
    """Answers that from then on are somewhat worse and somewhat less captured, after a pause."""
    if second < STOPS:
        return [FAILS if second % 6 == 0 else PASSES, *[PASSES] * (A_SECOND - 1)]
    if second < STOPS + 5:
        return []
    own = [FAILS] if second % 4 == 0 else [""] if second % 4 == 2 else []
    return [*own, *["relevance=0.85"] * (A_SECOND - len(own))]


SERVICES: Mapping[str, Callable[[int], list[str]]] = {
    "steady": lambda second: ["faithfulness=raise" if second % 4 == 0 else PASSES, *[PASSES] * (A_SECOND - 1)],
    "nearly": nearly,
    "nearly-changes": nearly_changes,
    "hallucinates": every(3, FAILS),
    "worsens": lambda second: every(20 if second < STOPS else 2, FAILS)(second),
    "one-of-ten": lambda second: [FAILS] + [PASSES] * 9 if second == 10 else [],
    "irrelevant": every(1, "relevance=0.2"),
    "falls": from_then_on("relevance=0.3"),
    "dark": every(2, ""),
    "darkens": from_then_on(""),
    "breaks": from_then_on("relevance=raise"),
    "stops": lambda second: [PASSES] * A_SECOND if second < STOPS else [],
    "toxic": lambda second: ["toxicity=0.85"] if second == 20 else [],
    "doubtful": lambda second: ["toxicity=0.75"] if second == 20 else [],
}
"""What each service says in each second; the empty text was not captured."""
FIRES = {
    ("ToxicityDetected", "toxic"): 20,
    ("ToxicityFlagged", "doubtful"): 20,
    ("HighHallucinationRate", "hallucinates"): 0,
    ("HallucinationRising", "worsens"): STOPS,
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
    ("GatewaySilent", ""),
}
"""What may fire beside it, depending on what is seen first. A gateway is silent here when it misses one scrape: the
next test is about that alert."""
ALERTS: Mapping[str, Any] = {
    "evaluators": {name: f"stub_{name}" for name in ("toxicity", "faithfulness", "relevance")},
    "windows": ["15s", "30s", "60s"],
    "min_answers": 20,
    "hold": "30s",
    "services": {
        "falls": {"relevance_mean": 0.05},
        "unequal": {"hallucination_rate": 0.9},
        "worsens": {"hallucination_rate": 0.95},
        "nearly-changes": {"silence": "30s"},
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
    stubs["stub_toxicity"] = {"paging_threshold": 0.8}
    config = configuration(
        exporters(otlp_sink), {"evaluators": stubs, "segments": ["user.segment"], "score_deadline": "60s"}
    )
    config["alerts"] = dict(ALERTS)
    rules = render(loads(yaml.safe_dump(config), "test", {}).config)
    address = config["service"]["telemetry"]["metrics"]["address"]
    with (
        alertmanager(alertmanager_example(pager.url), tmp_path) as manager,
        gateway(config, tmp_path) as running,
        prometheus(tmp_path, target=address, rules=rules, alertmanager=manager) as server,
    ):
        began = _flow(running, pager)
        for name, service in FIRES:
            pager.wait(name, service, seconds=1)
        assert [rule["name"] for rule in server.rules() if rule["health"] != "ok"] == []
        _never_nan(server, rules)
        fired = {(page.name, page.service) for page in pager.pages if page.status == "firing"}
    assert fired - CONSEQUENCES == FIRES.keys()
    failing = {page.labels["gen_ai_evaluation_name"] for page in pager.pages if page.name == "EvaluationErrorSpike"}
    assert failing == {"stub_relevance"}, "faithfulness of `steady` fails as often as ever"
    assert {page.receiver for page in pager.pages if page.name == "ToxicityDetected"} == {"pager"}
    assert {page.receiver for page in pager.pages if page.name == "ToxicityFlagged"} == {"chat"}
    for (name, service), second in FIRES.items():
        report(
            f"{name:22} {service:14} {pager.wait(name, service).arrived - began - second:6.1f} s after its reason began"
        )


def _flow(running: RunningGateway, pager: Webhook) -> float:
    """Let all services talk, second by second, until every page has come; return the Unix time at which they began."""
    began = time.time()
    recorded = cycle(ExportTraceServiceRequest.FromString(path.read_bytes()) for path in RECORDINGS)
    with httpx.Client(timeout=30) as client:
        for second in range(MOST_SECONDS):
            if second >= SECONDS and all(pager.firing(*alert) for alert in FIRES):
                break
            now = [said(service, texts) for service, says in SERVICES.items() if (texts := says(second))]
            now += [next(recorded)] if second % 5 == 0 else []
            for service, often in (("unequal", 2), ("unequal-nearly", 12)):
                worse = FAILS if second % often == 0 else PASSES
                now.append(said(service, [worse, PASSES], **{"user.segment": "a"}))
                now.append(said(service, [PASSES] * 2, **{"user.segment": "b"}))
            send(client, running, *now)
            time.sleep(max(0.0, began + second + 1 - time.time()))
    return began


def _never_nan(server: Prometheus, rules: Mapping[str, str]) -> None:
    for name in {rule["record"] for rule in _rules(rules) if "record" in rule}:
        assert server.query(f"{name} != {name}") == [], name


def test_a_gateway_that_starts_again_pages_nobody_and_one_that_stays_away_does(
    pager: Webhook, otlp_sink: OtlpSink, tmp_path: Path
) -> None:
    config = configuration(exporters(otlp_sink), {"evaluators": {"stub_toxicity": {}}})
    config["alerts"] = {"evaluators": {"toxicity": "stub_toxicity"}, "windows": ["10m", "20m", "30m"]}
    rules = render(loads(yaml.safe_dump(config), "test", {}).config)
    (rule,) = (rule for rule in _rules(rules) if rule.get("alert") == "AgentEvalGatewaySilent")
    assert rule["for"] == "20s"
    target = config["service"]["telemetry"]["metrics"]["address"]
    pending = 'ALERTS{alertname="AgentEvalGatewaySilent",alertstate="pending"}'
    with (
        alertmanager(alertmanager_example(pager.url), tmp_path) as manager,
        ExitStack() as first,
        ExitStack() as second,
        prometheus(tmp_path, target=target, rules=rules, alertmanager=manager) as server,
    ):
        first.enter_context(gateway(config, tmp_path))
        pager.wait("Heartbeat")
        wait_until(lambda: server.query(pending) == [], 60, "the gateway's first scrape")
        first.close()
        wait_until(lambda: server.query(pending) != [], 60, "notice that the gateway is away")
        second.enter_context(gateway(config, tmp_path))
        wait_until(lambda: server.query(pending) == [], 60, "notice that the gateway is back")
        time.sleep(25)  # longer than the rule waits
        assert pager.firing("GatewaySilent") is None
        second.close()
        stopped = time.time()
        page = pager.wait("GatewaySilent")
    report(f"a gateway that stays away paged after {page.arrived - stopped:.1f} s, of which the rule waits 20")


def _rules(files: Mapping[str, str]) -> list[dict[str, Any]]:
    return [rule for text in files.values() for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


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
