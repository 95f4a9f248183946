"""Whatever a request holds: redaction does not fail, is done once and for all, and looks wherever it would change."""

from typing import Any
from unittest.mock import patch

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span, Status

from otel_agent_eval.config.redaction import Redaction
from otel_agent_eval.conventions.content import ALWAYS, EXCEPTIONS, NAMESPACES, PLAIN, SPEAKING_NAMES
from otel_agent_eval.processors.redaction import Redactor
from otel_agent_eval.service.redaction import redactor
from otel_agent_eval.signals import REQUEST_TYPES, ExportRequest, Payload, Signal

KEY = "a key of tests, 32 characters!!!"
SECRETS = (
    *("bob@example.com", "4111 1111 1111 1111", '{"a": "x\\nbob@example.com"}', "+49 171 1234567", "ACME-000017"),
    *("/a?u=bob%2540example.com&c=4111+1111+1111+1111", "bob%26%2364;example.com", "%C3%A9 ACM%45-000017"),
    '[{"role": "user", "content": "x"}]',
)
REDACTORS = [
    redactor(Redaction.model_validate(each))
    for each in (
        {},
        {"content": "keep", "exceptions": "remove"},
        {"content": "hash", "hmac_key": KEY, "exceptions": "mask", "patterns": ["email", "phone"]},
        {"content": "keep", "patterns": ["email", "credit_card", "api_key"], "blocked_values": ["ACME-[0-9]+"]},
        {"content": "keep", "blocked_values": [r"\bACME"], "pattern_action": "remove"},
        {
            "content": "keep",
            "attributes": [{"key": "user.*", "action": "mask"}, {"key": "http.*id", "action": "remove"}],
        },
        {"content": "keep", "attributes": [{"key": "log.body", "action": "hash"}], "hmac_key": KEY},
        {"allowed_keys": ["http.*", "gen_ai.*"], "patterns": ["iban", "ip_address"]},
    )
]


def _listed(items: list[AnyValue]) -> AnyValue:
    value = AnyValue()
    value.array_value.values.extend(items)
    return value


def _mapped(items: dict[str, AnyValue]) -> AnyValue:
    value = AnyValue()
    value.kvlist_value.values.extend(KeyValue(key=key, value=item) for key, item in items.items())
    return value


def _traces(own: Any, of_event: Any, of_scope: Any, name: str, event: str) -> ExportTraceServiceRequest:
    span = Span(name=name, attributes=own, status=Status(message=name))
    span.events.add(name=event, attributes=of_event)
    span.links.add(attributes=of_scope)
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    group.resource.attributes.extend(of_scope)
    scope = group.scope_spans.add()
    scope.MergeFrom(ScopeSpans(spans=[span]))
    scope.scope.attributes.extend(of_scope)
    return request


def _logs(own: Any, body: AnyValue, event: str) -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    record = LogRecord(attributes=own, body=body, event_name=event)
    request.resource_logs.add().scope_logs.add().log_records.append(record)
    return request


def _metrics(own: Any, of_exemplar: Any, of_resource: Any, name: str) -> ExportMetricsServiceRequest:
    request = ExportMetricsServiceRequest()
    group = request.resource_metrics.add()
    group.resource.attributes.extend(of_resource)
    point = group.scope_metrics.add().metrics.add(name=name, metadata=of_resource).sum.data_points.add(attributes=own)
    point.exemplars.add(filtered_attributes=of_exemplar)
    return request


texts = st.text(max_size=20) | st.sampled_from(SECRETS)
beginnings = st.sampled_from([*NAMESPACES, "user.", "http.", "exception.", ""])
names = st.builds(
    "{}{}".format, beginnings, st.text(max_size=8) | st.sampled_from(["id", "content", "y" * 200, "z" * 20_000])
)
names |= st.sampled_from([key.replace("*", "x").replace("#", "0") for key in (*PLAIN, *ALWAYS, *EXCEPTIONS)])
names |= st.sampled_from([*SPEAKING_NAMES, *map(str.upper, SPEAKING_NAMES), *map(str.title, NAMESPACES)])
values = st.recursive(
    st.builds(lambda text: AnyValue(string_value=text), texts)
    | st.builds(lambda number: AnyValue(int_value=number), st.integers(0, 99))
    | st.builds(lambda data: AnyValue(bytes_value=data), st.binary(max_size=9) | texts.map(str.encode))
    | st.just(AnyValue()),
    lambda inner: (
        st.builds(_listed, st.lists(inner, max_size=3)) | st.builds(_mapped, st.dictionaries(names, inner, max_size=3))
    ),
    max_leaves=5,
)
attributes = st.dictionaries(names, values, max_size=4).map(
    lambda found: [KeyValue(key=k, value=v) for k, v in found.items()]
)
requests = (
    st.builds(_traces, attributes, attributes, attributes, texts, names | st.just("exception"))
    | st.builds(_logs, attributes, values, names)
    | st.builds(_metrics, attributes, attributes, attributes, names)
)
SIGNALS = {kind: signal for signal, kind in REQUEST_TYPES.items()}


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(requests, st.sampled_from(REDACTORS))
def test_any_request_is_redacted_once_and_for_all_and_none_is_passed_over(
    request: ExportRequest, found: Redactor
) -> None:
    payload = Payload(SIGNALS[type(request)], request.SerializeToString(), 1)
    with patch.object(found, "concerns", return_value=True):
        looked_into = found(payload)
    if looked_into.body != payload.body:
        assert found.concerns(payload)
    assert found(payload).body == looked_into.body
    assert found(looked_into).body == looked_into.body
    assert (looked_into.signal, looked_into.items) == (payload.signal, payload.items)


@settings(max_examples=100)
@given(st.binary(max_size=200), st.sampled_from(list(Signal)), st.sampled_from(REDACTORS))
def test_bytes_that_are_no_request_are_refused_or_hold_nothing(body: bytes, signal: Signal, found: Redactor) -> None:
    payload = Payload(signal, body)
    try:
        found(payload)
    except Exception as error:  # noqa: BLE001 (what is raised for bytes is protobuf's affair)
        assert type(error).__name__ == "DecodeError"  # noqa: PT017 (most bytes raise nothing, for they are passed over)
