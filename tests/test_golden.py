"""Recorded traces of real instrumentations, and the answers that a person reads in them: recordings/README.md."""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from otel_agent_eval.assembly.candidate import Candidate
from otel_agent_eval.assembly.offline import assemble
from otel_agent_eval.evaluation.interaction import Interaction, Part

RECORDINGS = Path(__file__).parent / "recordings"
CASES = sorted(path.parent for path in RECORDINGS.rglob("expected.yaml"))
TEMPLATE_WORDS = 200  # characters that a prompt may put around the texts pasted into it

Expected = dict[str, Any]


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.relative_to(RECORDINGS).as_posix())
def test_a_recording_is_read_as_a_person_reads_it(folder: Path) -> None:
    traces, logs = load(folder)
    check(folder, assemble(traces, logs))


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.relative_to(RECORDINGS).as_posix())
def test_the_order_in_which_spans_arrive_changes_nothing(folder: Path) -> None:
    traces, logs = load(folder)
    check(folder, assemble(list(one_span_a_request(traces))[::-1], logs))


def check(folder: Path, found: Iterable[Candidate]) -> None:
    """Compare what was found in a recording with the expected.yaml beside it."""
    entries: list[Expected] = yaml.safe_load((folder / "expected.yaml").read_text())["answers"]
    candidates = {candidate.span_id: candidate for candidate in found}

    unexpected = {c.span_id for c in candidates.values() if c.skipped is None}
    unexpected -= {entry["span"] for entry in entries}
    differences = [f"{candidates[span].span_id} counted, though it is not expected to be" for span in unexpected]
    for entry in entries:
        candidate = candidates.get(entry["span"])
        lines = ["is not among the candidates"] if candidate is None else list(compare(entry, candidate))
        where = f"{entry['span']} {entry['name']!r} in {entry.get('scenario', 'no scenario')}"
        differences += [f"{where}: {line}" for line in lines]

    assert not differences, "\n" + "\n".join(differences)


def test_every_recording_says_which_answers_count() -> None:
    without = {p.parent for p in RECORDINGS.rglob("*") if p.suffix in {".bin", ".json"}} - set(CASES)
    assert not without
    assert len(CASES) > 40


def compare(expected: Expected, got: Candidate) -> Iterator[str]:
    """Name each difference between an entry of expected.yaml and the candidate of the same span."""
    counted = got.skipped is None
    if expected.get("counted", counted) != counted:
        yield f"counted: expected {expected['counted']}, got {counted} (skipped: {got.skipped})"
    reasons = expected.get("skipped", [])
    if not counted and reasons and got.skipped not in ([reasons] if isinstance(reasons, str) else reasons):
        yield f"skipped: expected {reasons}, got {got.skipped}"
    if expected.get("duplicate_of", "") != got.duplicate_of:
        yield f"duplicate_of: expected {expected.get('duplicate_of', '')}, got {got.duplicate_of}"

    if counted and expected.get("counted", True):
        answers = [interaction.answer for interaction in got.interactions]
        if not same_texts(expected["answers"], answers):
            yield f"answers: expected {expected['answers']}, got {answers}"
        for interaction in got.interactions:
            yield from compare_context(expected, interaction)


def compare_context(expected: Expected, got: Interaction) -> Iterator[str]:
    """Name each difference in what an answer is judged by."""
    if "question" in expected and not same_text(expected["question"], got.question):
        yield f"question: expected {expected['question']!r}, got {got.question!r}"
    documents = [document.text for document in got.documents]
    match = same_pasted if expected.get("pasted") else same_texts
    if "documents" in expected and not match(expected["documents"], documents):
        yield f"documents: expected {expected['documents']}, got {documents}"
    for text in expected.get("documents_contain", []):
        if not any(text in document for document in documents):
            yield f"documents: expected one with {text!r}, got {documents}"
    if expected.get("truncated", False) != (Part.ANSWER in got.truncated):
        yield f"truncated: expected {expected.get('truncated', False)}, got {sorted(got.truncated)}"


def same_texts(expected: list[str], got: list[str]) -> bool:
    return len(expected) == len(got) and all(map(same_text, expected, got))


def same_text(expected: str, got: str) -> bool:
    """Compare without outer white space; a text that ends in … is a prefix; JSON may be spaced differently."""
    expected, got = expected.strip(), got.strip()
    if expected == got or (expected.endswith("…") and got.startswith(expected[:-1])):
        return True
    try:
        return bool(json.loads(expected) == json.loads(got))
    except ValueError:
        return False


def same_pasted(expected: list[str], got: list[str]) -> bool:
    """Compare texts that stand in a prompt, in one piece or in several, with a few words of the prompt around them."""
    whole = " ".join(" ".join(got).split())
    texts = [" ".join(text.split()) for text in expected]
    positions = [whole.find(text) for text in texts]
    return (
        -1 not in positions and positions == sorted(positions) and len(whole) <= len(" ".join(texts)) + TEMPLATE_WORDS
    )


def load(folder: Path) -> tuple[list[ExportTraceServiceRequest], list[ExportLogsServiceRequest]]:
    """Read the requests of a recording, of whichever form."""
    traces = [ExportTraceServiceRequest.FromString(path.read_bytes()) for path in sorted(folder.glob("traces-*.bin"))]
    traces += [from_otlp_json(json.loads(path.read_text())) for path in sorted(folder.glob("*.otlp.json"))]
    logs = [ExportLogsServiceRequest.FromString(path.read_bytes()) for path in sorted(folder.glob("logs-*.bin"))]
    for path in folder.glob("spans.json"):
        export = json.loads(path.read_text())
        traces.append(spans_of_export(export))
        logs.append(logs_of_export(export))
    return traces, logs


def one_span_a_request(requests: Iterable[ExportTraceServiceRequest]) -> Iterator[ExportTraceServiceRequest]:
    """Take requests apart, as a sender with tiny batches would have sent them."""
    for request in requests:
        for resource_spans in request.resource_spans:
            for scope_spans in resource_spans.scope_spans:
                for span in scope_spans.spans:
                    single = ExportTraceServiceRequest()
                    resource = single.resource_spans.add(resource=resource_spans.resource)
                    resource.scope_spans.add(scope=scope_spans.scope, spans=[span])
                    yield single


def from_otlp_json(body: dict[str, Any]) -> ExportTraceServiceRequest:
    """Decode OTLP/JSON, which has ids in hex where protobuf's JSON has base64."""
    for resource_spans in body["resourceSpans"]:
        for scope_spans in resource_spans["scopeSpans"]:
            for span in scope_spans["spans"]:
                for key in {"traceId", "spanId", "parentSpanId"} & span.keys():
                    span[key] = base64.b64encode(bytes.fromhex(span[key])).decode()
    return json_format.ParseDict(body, ExportTraceServiceRequest())


def spans_of_export(body: dict[str, Any]) -> ExportTraceServiceRequest:
    """Make a request of a spans.json: attributes as plain JSON values, times in nanoseconds."""
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    resource_spans.resource.attributes.extend(key_values(body.get("resource", {})))
    for span in body["spans"]:
        scope_spans = resource_spans.scope_spans.add()
        scope_spans.scope.name = span.get("scope", "")
        scope_spans.spans.add(
            trace_id=bytes.fromhex(span["trace_id"]),
            span_id=bytes.fromhex(span["span_id"]),
            parent_span_id=bytes.fromhex(span.get("parent_id", "")),
            name=span["name"],
            start_time_unix_nano=span["start"],
            end_time_unix_nano=span["end"],
            attributes=key_values(span["attributes"]),
            status=Status(code=Status.STATUS_CODE_ERROR if span.get("failed") else Status.STATUS_CODE_UNSET),
            events=[
                Span.Event(name=event["name"], attributes=key_values(event["attributes"]), time_unix_nano=span["start"])
                for event in span.get("events", [])
            ],
        )
    return request


def logs_of_export(body: dict[str, Any]) -> ExportLogsServiceRequest:
    """Make a request of the log records in a spans.json."""
    request = ExportLogsServiceRequest()
    scope_logs = request.resource_logs.add().scope_logs.add()
    for record in body.get("logs", []):
        scope_logs.log_records.add(
            trace_id=bytes.fromhex(record["trace_id"]),
            span_id=bytes.fromhex(record["span_id"]),
            event_name=record["event_name"],
            time_unix_nano=record["time"],
            attributes=key_values(record["attributes"]),
            body=any_value(record["body"]),
        )
    return request


def key_values(attributes: Mapping[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=any_value(value)) for key, value in attributes.items()]


def any_value(value: Any) -> AnyValue:
    match value:
        case bool():
            field: dict[str, Any] = {"bool_value": value}
        case int():
            field = {"int_value": value}
        case float():
            field = {"double_value": value}
        case str():
            field = {"string_value": value}
        case list():
            field = {"array_value": ArrayValue(values=[any_value(item) for item in value])}
        case dict():
            field = {"kvlist_value": KeyValueList(values=key_values(value))}
        case _:
            field = {}
    return AnyValue(**field)
