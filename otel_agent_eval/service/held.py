"""Takes spans out of a request to hold them, and puts them together again, with whatever they came wrapped in."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span


@dataclass(frozen=True, slots=True, eq=False)
class Envelope:
    """What a span came in: a ResourceSpans and a ScopeSpans without contents, and the request's metadata.

    Unknown fields and schema URLs are kept. Compared by identity: the spans of one scope of one request share it.
    """

    resource: ResourceSpans
    scope: ScopeSpans
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class HeldSpan:
    """A span on hold: its own message, its envelope, and its size in bytes."""

    span: Span
    envelope: Envelope
    size: int


def shell_of(resource: ResourceSpans) -> ResourceSpans:
    """Return a ResourceSpans without its scopes."""
    shell = ResourceSpans()
    shell.CopyFrom(resource)
    shell.ClearField("scope_spans")
    return shell


def take(scope: ScopeSpans, indices: list[int], shell: ResourceSpans, metadata: Mapping[str, str]) -> list[HeldSpan]:
    """Remove the spans at `indices` (ascending) from `scope` and return them; `shell` is their resource's."""
    spans = [Span() for _ in indices]
    for index, span in zip(indices, spans, strict=True):
        span.CopyFrom(scope.spans[index])
    for index in reversed(indices):
        del scope.spans[index]
    empty_scope = ScopeSpans()
    empty_scope.CopyFrom(scope)
    empty_scope.ClearField("spans")
    envelope = Envelope(shell, empty_scope, metadata)
    return [HeldSpan(span, envelope, span.ByteSize()) for span in spans]


def drop_empty(request: ExportTraceServiceRequest) -> None:
    """Remove scopes and resources from which every span was taken."""
    for r in reversed(range(len(request.resource_spans))):
        scopes = request.resource_spans[r].scope_spans
        for s in reversed(range(len(scopes))):
            if not scopes[s].spans:
                del scopes[s]
        if not scopes:
            del request.resource_spans[r]


def together(spans: Iterable[HeldSpan]) -> ExportTraceServiceRequest:
    """Wrap spans into one request, those of one envelope side by side."""
    request = ExportTraceServiceRequest()
    resources: dict[int, ResourceSpans] = {}
    scopes: dict[int, ScopeSpans] = {}
    for held in spans:
        envelope = held.envelope
        if id(envelope) not in scopes:
            if id(envelope.resource) not in resources:
                resource = resources[id(envelope.resource)] = request.resource_spans.add()
                resource.CopyFrom(envelope.resource)
            scope = scopes[id(envelope)] = resources[id(envelope.resource)].scope_spans.add()
            scope.CopyFrom(envelope.scope)
        scopes[id(envelope)].spans.append(held.span)
    return request
