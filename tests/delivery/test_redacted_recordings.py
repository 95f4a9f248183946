"""Recordings of all instrumentations, marked wherever they hold content, through a gateway: no mark leaves it."""

import base64
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from support.gateway import configuration, gateway
from support.otlp_sink import OtlpSink
from test_golden import CASES, RECORDINGS, load

from otel_agent_eval.conventions.span import decode_attributes
from otel_agent_eval.signals import REQUEST_TYPES, Signal

HARMLESS: Final = re.compile(
    r"(?:.*[._])?(?:\w*(?<!prompt_)(?:name|id|Id|key|role|model|kind|type|Type|system|provider|reasons?|Reason|version)"
    r"|system_fingerprint|tokenUsage|usage_details|format|spanFunctionName|spanLogLevel|status|level|path|msg_template"
    r"|framework|timestamp|inference|source|url|id_|title)|ai\.settings\.output|error_code|scenario|exception\.escaped"
    r"|(?:service|telemetry|deployment|process|host|os|server|http|url|code|user|error)\..*|db\.operation"
)
"""Names of names, ids (of documents: source, title) and kinds, by which readers know what they read, and others'."""
MARK: Final = "zqXmark"
SENTENCES: Final = "agent_eval.faithfulness.unsupported"
EXPLANATION: Final = "gen_ai.evaluation.explanation"


@dataclass
class Marks:
    """Marks texts, each with a number of its own, and remembers which attribute it was in."""

    names: list[str] = field(default_factory=list)

    def attributes(self, attributes: Sequence[KeyValue]) -> None:
        for pair in attributes:
            if not HARMLESS.fullmatch(pair.key):
                self.value(pair.key, pair.value)

    def value(self, name: str, value: AnyValue) -> None:
        match value.WhichOneof("value"):
            case "string_value":
                value.string_value = self._text(name, value.string_value)
            case "array_value":
                for item in value.array_value.values:
                    self.value(name, item)
            case "kvlist_value":
                for pair in value.kvlist_value.values:
                    if not HARMLESS.fullmatch(pair.key):
                        self.value(name, pair.value)

    def _text(self, name: str, text: str) -> str:
        if text.startswith(("{", "[")):
            try:
                return json.dumps(self._json(name, json.loads(text)))
            except ValueError:
                pass
        self.names.append(name)
        return f"{text} {MARK}{len(self.names) - 1:05d}x"

    def _json(self, name: str, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: item if HARMLESS.fullmatch(key) else self._json(name, item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._json(name, item) for item in value]
        return self._text(name, value) if isinstance(value, str) else value


def marked(folder: Path, marks: Marks) -> Iterator[tuple[Signal, bytes]]:
    """The requests of a recording with their contents marked."""
    traces, logs = load(folder)
    for request in traces:
        for group in request.resource_spans:
            for scope in group.scope_spans:
                for span in scope.spans:
                    for bearer in (span, *span.events, *span.links):
                        marks.attributes(bearer.attributes)
        yield Signal.TRACES, request.SerializeToString()
    for log in logs:
        for resource in log.resource_logs:
            for entry in resource.scope_logs:
                for record in entry.log_records:
                    marks.attributes(record.attributes)
                    marks.value("body", record.body)
        yield Signal.LOGS, log.SerializeToString()


@dataclass
class Sent:
    """What went through a gateway: the names that each recording's marks were in, and what either backend got."""

    names: dict[Path, dict[int, str]]
    house: OtlpSink
    vendor: OtlpSink

    def left(self) -> set[int]:
        """The numbers of the marks that the vendor got."""
        return {int(found) for found in re.findall(rf"{MARK}(\d{{5}})x".encode(), bodies(self.vendor))}


def bodies(sink: OtlpSink) -> bytes:
    return b"".join(received.body for received in sink.requests())


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sent]:
    marks, names, requests = Marks(), {}, []
    for folder in CASES:
        before = len(marks.names)
        requests += list(marked(folder, marks))
        names[folder] = dict(enumerate(marks.names[before:], before))
    with OtlpSink() as house, OtlpSink() as vendor:
        exporters = {"otlphttp/house": {"endpoint": house.http_endpoint, "redaction": "none"}}
        exporters["otlphttp/vendor"] = {"endpoint": vendor.http_endpoint, "redaction": "redaction"}
        config = configuration(exporters, {"events": {"explanation": True}})
        config["processors"]["redaction"] = None
        with gateway(config, tmp_path_factory.mktemp("gateway")) as running, httpx.Client(timeout=60) as client:
            for signal, body in requests:
                url, kind = f"{running.http_endpoint}/v1/{signal}", {"content-type": "application/x-protobuf"}
                assert client.post(url, content=body, headers=kind).status_code == httpx.codes.OK
            messages = [REQUEST_TYPES[signal].FromString(body) for signal, body in requests if signal is Signal.TRACES]
            groups = [
                scope.spans for message in messages for group in message.resource_spans for scope in group.scope_spans
            ]
            for sink in (house, vendor):
                sink.wait(Signal.TRACES, sum(map(len, groups)), 120)
        yield Sent(names, house, vendor)  # a gateway that has stopped has sent everything


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.relative_to(RECORDINGS).as_posix())
def test_no_mark_of_a_recording_leaves(sent: Sent, folder: Path) -> None:
    assert {name for number, name in sent.names[folder].items() if number in sent.left()} == set()


def test_no_mark_leaves_in_another_form(sent: Sent) -> None:
    mark, left = MARK.encode(), bodies(sent.vendor)
    forms = {base64.b64encode(b" " * before + mark)[4 if before else 0 : -4] for before in range(3)}
    forms |= {mark.hex().encode(), mark.hex().upper().encode(), mark[::-1]}
    forms |= {b"".join(form % byte for byte in mark) for form in (b"%%%02X", b"%%%02x", b"\\u%04x", b"&#%d;")}
    assert mark in bodies(sent.house)
    assert not [form for form in forms if form in left]


def test_scores_labels_and_events_leave_and_what_quotes_does_not(sent: Sent) -> None:
    full, bare = ({span.span_id: written(span) for span in sink.spans()} for sink in (sent.house, sent.vendor))
    assert full.keys() == bare.keys()
    assert {name for span in full.values() for name in span} >= {
        SENTENCES,
        "agent_eval.toxicity.score",
        "agent_eval.label",
    }
    assert bare == {span: {name: v for name, v in all_.items() if name != SENTENCES} for span, all_ in full.items()}
    scored, without = (events(sink) for sink in (sent.house, sent.vendor))
    assert {event["gen_ai.evaluation.name"] for event in without} >= {"toxicity", "faithfulness", "relevance"}
    assert any(EXPLANATION in event for event in scored)
    assert without == [{name: value for name, value in event.items() if name != EXPLANATION} for event in scored]


def written(span: Span) -> dict[str, Any]:
    """What the gateway wrote on a span."""
    return {k: v for k, v in decode_attributes(span.attributes).items() if k.startswith("agent_eval.")}


def events(sink: OtlpSink) -> list[dict[str, Any]]:
    """The events of evaluations, in an order that is the same for all."""
    found = [decode_attributes(log.attributes) for log in sink.logs() if log.event_name == "gen_ai.evaluation.result"]
    return sorted(found, key=lambda event: json.dumps({**event, EXPLANATION: ""}, sort_keys=True))
