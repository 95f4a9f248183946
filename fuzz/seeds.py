"""Inputs to begin with, made of this repository's own recordings and examples; `run.py --seeds` mixes them in.

Each is small: single spans and log records, the values of their attributes, and texts found in them.
"""

import base64
import gzip
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from otel_agent_eval.commands.otlp_files import FileError, read_requests, split
from otel_agent_eval.journal.record import Record, encode
from otel_agent_eval.signals import Payload, Signal

_ROOT = Path(__file__).resolve().parents[1]
_LONGEST = 4_000  # bytes of a seed
_IDS = ("traceId", "spanId", "parentSpanId")


def seeds() -> Mapping[str, list[bytes]]:
    """Return inputs by target."""
    spans, logs = _recorded()
    found: dict[str, list[bytes]] = {name: [] for name in ("otlp_json", "otlp_protobuf", "utf8", "telemetry", "values")}
    found |= {"texts": [], "journal": [], "configuration": list(_configurations()), "answers": list(_answers())}
    for number, request in enumerate([*spans, *logs]):
        signal, binary = (0, request.SerializeToString()) if number < len(spans) else (1, request.SerializeToString())
        document = json.dumps(_hex_ids(json_format.MessageToDict(request)), ensure_ascii=False).encode()
        found["telemetry"].append(document)
        found["otlp_json"].append(bytes([signal]) + document)
        found["otlp_protobuf"] += [bytes([signal]) + binary, bytes([signal + 9]) + gzip.compress(binary, mtime=0)]
        found["utf8"].append(bytes([signal]) + binary.replace(b"e", b"\xc3", 3))
        payload = Payload(tuple(Signal)[signal], binary, 1, {"x-scope-orgid": "team"})
        head, body = encode(Record(sequence=number, payload=payload, readers=("scoring", "otlp/a"), time=1.7e9))
        found["journal"].append(head + body)
        for at, value in enumerate(_strings(json_format.MessageToDict(request))):
            found["values"].append(bytes([at % 8]) + value.encode())
            found["texts"].append(value.encode())
    found["redaction"] = found["telemetry"]
    return {name: sorted({seed for seed in made if len(seed) <= _LONGEST}) for name, made in found.items()}


def _recorded() -> tuple[list[ExportTraceServiceRequest], list[ExportLogsServiceRequest]]:
    """Return requests of one item each, one for each set of attribute names."""
    spans: dict[object, ExportTraceServiceRequest] = {}
    logs: dict[object, ExportLogsServiceRequest] = {}
    files = sorted(path for path in (_ROOT / "tests" / "recordings").rglob("*") if path.suffix in {".bin", ".json"})
    read = [request for path in files for request in read_requests(path) if not isinstance(request, FileError)]
    for request in split(read)[0]:
        for group in request.resource_spans:
            for scope in group.scope_spans:
                for span in scope.spans:
                    one = ExportTraceServiceRequest()
                    one.resource_spans.add().scope_spans.add(scope=scope.scope).spans.append(span)
                    spans.setdefault(frozenset(pair.key for pair in span.attributes), one)
    for entries in split(read)[1]:
        for log_group in entries.resource_logs:
            for log_scope in log_group.scope_logs:
                for log in log_scope.log_records:
                    record = ExportLogsServiceRequest()
                    record.resource_logs.add().scope_logs.add(scope=log_scope.scope).log_records.append(log)
                    logs.setdefault((log.event_name, frozenset(pair.key for pair in log.attributes)), record)
    return list(spans.values()), list(logs.values())


def _hex_ids(value: Any) -> Any:  # noqa: ANN401 (any JSON value)
    """Return protobuf's JSON with the ids as OTLP has them."""
    if isinstance(value, list):
        return [_hex_ids(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: base64.b64decode(item).hex() if key in _IDS else _hex_ids(item) for key, item in value.items()}


def _strings(value: Any) -> Iterator[str]:  # noqa: ANN401 (any JSON value)
    """Yield the texts of attributes that are more than a word."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "stringValue" and " " in item:
                yield item
            else:
                yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


def _configurations() -> Iterator[bytes]:
    """Yield configurations: the one inside the package, and those that the documents show."""
    yield (_ROOT / "otel_agent_eval" / "config" / "default.yaml").read_bytes()
    yield (_ROOT / "examples" / "deploy" / "gateway.yaml").read_bytes()
    for page in sorted((_ROOT / "docs").glob("*.md")):
        yield from (
            block.encode() for block in re.findall(r"^```yaml\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
        )


def _answers() -> Iterator[bytes]:
    """Yield what destinations answer: waits in seconds and as a date, partial success, a `RetryInfo`."""
    yield from (b"\x01\xad120", b"\x01\xf7Wed, 21 Oct 2026 07:28:00 GMT")
    partial = ExportTraceServiceResponse()
    partial.partial_success.rejected_spans = 5
    partial.partial_success.error_message = "too old"
    yield b"\x00\xc8" + partial.SerializeToString()
    yield b'\x00\xc8{"partialSuccess":{"rejectedSpans":"5","errorMessage":"too old"}}'
    status = Status(code=8, message="busy")
    status.details.add().Pack(RetryInfo(retry_delay=Duration(seconds=3, nanos=500)))
    yield b"\x00\x08" + status.SerializeToString()
