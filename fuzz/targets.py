"""What is fuzzed: each target takes any bytes, and raises where something that must hold does not.

`run.py` mutates inputs under atheris; the tests replay the corpus. An exception that a target does not expect, a check
that fails and a run that does not end are findings.
"""

import contextlib
import io
from collections.abc import Callable, Mapping
from functools import cache

import grpc
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_agent_eval.assembly.assembler import Assembler, Limits
from otel_agent_eval.assembly.offline import assemble
from otel_agent_eval.assembly.pasted import pieces as pasted_pieces
from otel_agent_eval.assembly.pasted import take_apart
from otel_agent_eval.assembly.texts import comparable, is_data, is_substantial
from otel_agent_eval.config import ConfigError, loads
from otel_agent_eval.conventions import capture_switch, content_may_be_in_logs, could_hold_content, read
from otel_agent_eval.conventions.extract import Extract
from otel_agent_eval.conventions.span import SpanView, view_log, view_resource, view_span
from otel_agent_eval.exporters.answers import parse_retry_after, read_grpc_error, read_http_error, read_response
from otel_agent_eval.journal import record
from otel_agent_eval.processors.evidence import EvidenceIndex
from otel_agent_eval.processors.language import readable
from otel_agent_eval.processors.plain import plain
from otel_agent_eval.processors.reading import finish, pieces, words
from otel_agent_eval.processors.redaction import Redactor
from otel_agent_eval.processors.redaction_patterns import PATTERNS
from otel_agent_eval.processors.redaction_rules import RedactionRules
from otel_agent_eval.processors.sentences import claims, split_sentences
from otel_agent_eval.receivers.decode import count_items, decode_repaired, parse
from otel_agent_eval.receivers.errors import Rejection
from otel_agent_eval.receivers.gunzip import gunzip
from otel_agent_eval.receivers.otlp_json import decode_json
from otel_agent_eval.receivers.utf8 import with_valid_texts
from otel_agent_eval.service.redaction import content_names
from otel_agent_eval.signals import REQUEST_TYPES, Payload, Signal

_LIMIT = 1 << 20  # bytes of a request after decompression
_ROLES = {"user", "system", "assistant", "tool"}
_SIGNALS = tuple(Signal)
_KINDS = ("LLM", "RETRIEVER", "TOOL", "CHAIN", "AGENT", "RERANKER", "GUARDRAIL", "PROMPT")


def otlp_json(data: bytes) -> None:
    """A signal by the first byte, then a request in JSON: decoded to a message that is sound, or rejected."""
    signal = _SIGNALS[data[0] % 3] if data else Signal.TRACES
    try:
        request = decode_json(signal, data[1:])
    except Rejection:
        return
    again = REQUEST_TYPES[signal].FromString(request.SerializeToString())
    assert again.SerializeToString(deterministic=True) == request.SerializeToString(deterministic=True)
    count_items(request)


def otlp_protobuf(data: bytes) -> None:
    """A signal, and whether it is gzip, by the first byte, then a request: kept as it came, repaired, or rejected."""
    head, body = (data[0], data[1:]) if data else (0, b"")
    signal = _SIGNALS[head % 3]
    try:
        if head & 8:
            body = gunzip(body, _LIMIT)
            assert len(body) <= _LIMIT
        request = parse(signal, body)
        if request is None:
            repaired, request = decode_repaired(signal, body)
            assert len(repaired) == len(body)
    except Rejection:
        return
    count_items(request)
    could_hold_content(body)


def utf8(data: bytes) -> None:
    """A request whose texts may be broken: of the same length afterwards, untouched where it was sound, and mended."""
    signal = _SIGNALS[data[0] % 3] if data else Signal.TRACES
    body = data[1:]
    sound = parse(signal, body) is not None
    try:
        mended = with_valid_texts(REQUEST_TYPES[signal].DESCRIPTOR, body)
    except ValueError:
        return
    assert len(mended) == len(body)
    assert mended == body or not sound
    assert with_valid_texts(REQUEST_TYPES[signal].DESCRIPTOR, mended) == mended


def telemetry(data: bytes) -> None:
    """Requests of traces and then of logs in OTLP/JSON, one a line: every span that is held is handed out once."""
    traces, logs = _requests(data)
    assembler = Assembler(Limits(traces=4, documents=50, size=20_000, logs_size=5_000, links=8))
    held: list[str] = []
    found: list[str] = []
    for now, request in enumerate(traces):
        for view, extract in _read(request):
            if extract.convention and assembler.add_span(view, extract, float(now)):
                held.append(view.trace_id + view.span_id)
        found += [c.trace_id + c.span_id for c in assembler.ready(float(now))]
        for log in logs:
            _add_logs(assembler, log, float(now))
    found += [c.trace_id + c.span_id for c in assembler.ready(100.0) if not c.late]
    assert sorted(found) == sorted(held), "a span that was held was not handed out, or twice"
    assembler.ready(10_000.0)
    assert (assembler.held, assembler.traces, assembler.size) == (0, 0, 0)
    for candidate in assemble(traces, logs):
        for interaction in candidate.interactions:
            "".join((interaction.answer, interaction.question, *interaction.grounding)).encode()
            assert len({document.id for document in interaction.documents}) == len(interaction.documents)


def values(data: bytes) -> None:
    """A kind of span by the first byte, then what it got and what it gave, as one value: read, whatever it is."""
    kind = _KINDS[data[0] % len(_KINDS)] if data else "LLM"
    try:
        value = data[1:].decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        value = data[1:].decode("latin-1")
    for keys in (("input.value", "output.value"), ("gen_ai.input.messages", "gen_ai.output.messages")):
        attributes = {"openinference.span.kind": kind, **dict.fromkeys(keys, value)}
        extract = read(_view(attributes))
        _check(extract)


def texts(data: bytes) -> None:
    """Any text: taken apart into sentences that stand in it, claims, evidence, pieces and plain words."""
    text = data.decode("utf-8", "replace")
    for sentence in split_sentences(text):
        assert sentence.text == text[sentence.start : sentence.end]
        assert sentence.text.strip()
    stated = claims(text)
    assert all(text[claim.start : claim.end] == claim.text for claim in stated)
    assert "".join(pieces(text)) == text
    plain(text, lambda word: len(word) % 2 == 0)
    index = EvidenceIndex([text, " ".join(words(text))])
    for claim in stated[:3]:
        index.select(claim.text, text)
    finish(readable([text]))
    stuffed = take_apart(text)
    assert all(part in text for part in stuffed.pasted)
    pasted_pieces(text, len(stated))
    comparable(text)
    is_data(text)
    is_substantial(text)


def journal(data: bytes) -> None:
    """A segment's bytes: read to their end without a gap, and what is a record can be written again."""
    at = 0
    for found in record.read(io.BytesIO(data), 0, len(data)):
        if isinstance(found, record.Stored):
            head, body = record.encode(found.record)
            (again,) = record.read(io.BytesIO(head + body), 0, len(head) + len(body))
            assert isinstance(again, record.Stored)
            assert again.record == found.record
        else:
            assert found.start == at
        assert found.end > at
        at = found.end
    assert at == len(data)


def configuration(data: bytes) -> None:
    """A configuration: taken, or refused with lines that name what is wrong."""
    with contextlib.suppress(ConfigError):
        loads(data.decode("utf-8", "replace"), "fuzz.yaml", {"HOME": "/nowhere", "PORT": "4317"})


def answers(data: bytes) -> None:
    """What a destination answers: an HTTP status by two bytes, then a header or a body."""
    status = int.from_bytes(data[:2], "big") % 1000
    rest = data[2:]
    waits = [parse_retry_after(rest.decode("latin-1"), 1e9)]
    read_http_error(status, {"retry-after": rest.decode("utf-8", "replace")})
    code = tuple(grpc.StatusCode)[status % len(grpc.StatusCode)]
    waits.append(getattr(read_grpc_error(code, rest, rest.decode("utf-8", "replace")), "retry_after", None))
    assert all(wait is None or wait >= 0 for wait in waits)
    for signal in Signal:
        for content_type in ("application/x-protobuf", "application/json"):
            rejected, _ = read_response(signal, rest, content_type)
            assert rejected >= 0


def redaction(data: bytes) -> None:
    """Requests as for `telemetry`: what is redacted can be read, and redacted again, and shows no answers."""
    redact = _redactor()
    traces, logs = _requests(data)
    for signal, requests in ((Signal.TRACES, traces), (Signal.LOGS, logs)):
        for request in requests:
            once = redact(Payload(signal, request.SerializeToString()))
            bare = REQUEST_TYPES[signal].FromString(redact(once).body)
            if isinstance(bare, ExportTraceServiceRequest):
                assert not any(extract.answers or extract.turns for _, extract in _read(bare))


@cache
def _redactor() -> Redactor:
    return Redactor(RedactionRules(patterns=tuple(PATTERNS.values())), content_names())


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    target.__name__: target
    for target in (otlp_json, otlp_protobuf, utf8, telemetry, values, texts, redaction, journal, configuration, answers)
}


def _requests(data: bytes) -> tuple[list[ExportTraceServiceRequest], list[ExportLogsServiceRequest]]:
    traces: list[ExportTraceServiceRequest] = []
    logs: list[ExportLogsServiceRequest] = []
    for line in data.split(b"\n")[:8]:
        signal = Signal.LOGS if b"resourceLogs" in line else Signal.TRACES
        try:
            request = decode_json(signal, line)
        except Rejection:
            continue
        if isinstance(request, ExportTraceServiceRequest):
            traces.append(request)
        elif isinstance(request, ExportLogsServiceRequest):
            logs.append(request)
    return traces, logs


def _read(request: ExportTraceServiceRequest) -> list[tuple[SpanView, Extract]]:
    found = []
    for group in request.resource_spans:
        resource = view_resource(group.resource)
        for scope in group.scope_spans:
            for span in scope.spans:
                view = view_span(span, scope, resource)
                extract = read(view)
                _check(extract)
                capture_switch(view)
                content_may_be_in_logs(view)
                found.append((view, extract))
    return found


def _add_logs(assembler: Assembler, request: ExportLogsServiceRequest, now: float) -> None:
    for group in request.resource_logs:
        for scope in group.scope_logs:
            for log in scope.log_records:
                assembler.add_log(log.trace_id.hex(), log.span_id.hex(), view_log(log), now)


def _check(extract: Extract) -> None:
    """Texts can be sent on (no lone surrogates), roles are of the closed list, an answer is never empty."""
    said = [extract.question, *extract.answers, *extract.variables.values(), *(turn.text for turn in extract.turns)]
    "".join((*said, *(document.text for document in extract.documents))).encode()
    assert {turn.role for turn in extract.turns} <= _ROLES
    assert all(extract.answers)


def _view(attributes: Mapping[str, str]) -> SpanView:
    return SpanView(
        trace_id="0" * 32,
        span_id="0" * 16,
        parent_id="",
        name="span",
        kind=1,
        start_time=0,
        end_time=0,
        failed=False,
        scope="",
        scope_version="",
        attributes=attributes,
        resource={},
    )
