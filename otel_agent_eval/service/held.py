"""Takes spans out of a request to hold them, and puts them together again, with whatever they came wrapped in."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from google.protobuf.unknown_fields import UnknownFieldSet
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from otel_agent_eval.conventions.span import view_resource
from otel_agent_eval.journal import Receipt


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
    """A span on hold: its own message, its envelope, its receipt, which it holds, and its size in bytes."""

    span: Span
    envelope: Envelope
    receipt: Receipt
    size: int


class Wrapping:
    """What the spans of a resource are wrapped in, copied when it is needed: most requests have no answers."""

    def __init__(self, resource: ResourceSpans, metadata: Mapping[str, str]) -> None:
        self.metadata = metadata
        self._resource = resource
        self._last: tuple[ScopeSpans, Envelope] | None = None

    @cached_property
    def attributes(self) -> Mapping[str, Any]:
        """The resource's attributes, decoded."""
        return view_resource(self._resource.resource)

    @cached_property
    def shell(self) -> ResourceSpans:
        """The ResourceSpans without its scopes."""
        shell = ResourceSpans()
        if len(UnknownFieldSet(self._resource)):  # there is no other way to copy these
            shell.CopyFrom(self._resource)
            shell.ClearField("scope_spans")
            return shell
        if self._resource.HasField("resource"):
            shell.resource.CopyFrom(self._resource.resource)
        shell.schema_url = self._resource.schema_url
        return shell

    def of(self, scope: ScopeSpans) -> Envelope:
        """Return the envelope for the spans of one of the resource's scopes, the same one for all in a row."""
        if self._last is None or self._last[0] is not scope:
            self._last = scope, self._envelope(scope)
        return self._last[1]

    def _envelope(self, scope: ScopeSpans) -> Envelope:
        empty = ScopeSpans()
        if len(UnknownFieldSet(scope)):
            empty.CopyFrom(scope)
            empty.ClearField("spans")
        else:
            if scope.HasField("scope"):
                empty.scope.CopyFrom(scope.scope)
            empty.schema_url = scope.schema_url
        return Envelope(self.shell, empty, self.metadata)


def hold(span: Span, envelope: Envelope, receipt: Receipt) -> HeldSpan:
    """Copy a span out of its request, from which it is to be deleted; the receipt is held until the span has left."""
    copy = Span()
    copy.CopyFrom(span)
    receipt.hold()
    return HeldSpan(copy, envelope, receipt, copy.ByteSize())


def remove(request: ExportTraceServiceRequest, taken: Sequence[tuple[int, int, Sequence[int]]]) -> None:
    """Delete spans, and what held nothing else.

    `taken` names them by resource, scope and position, in ascending order.
    """
    for r, s, indices in reversed(taken):  # so that the positions stay true
        resource = request.resource_spans[r]
        scope = resource.scope_spans[s]
        for index in reversed(indices):
            del scope.spans[index]
        if not scope.spans:
            del resource.scope_spans[s]
        if not resource.scope_spans:
            del request.resource_spans[r]


def keep_only(request: ExportTraceServiceRequest, positions: Container[int]) -> int:
    """Delete the spans that are not at these positions, counted over the whole request; return how many are left."""
    position = left = 0
    others: list[tuple[int, int, list[int]]] = []
    for r, resource in enumerate(request.resource_spans):
        for s, scope in enumerate(resource.scope_spans):
            indices = [index for index in range(len(scope.spans)) if position + index not in positions]
            position += len(scope.spans)
            left += len(scope.spans) - len(indices)
            if indices:
                others.append((r, s, indices))
    remove(request, others)
    return left


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
