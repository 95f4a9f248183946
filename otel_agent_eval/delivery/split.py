"""Makes two requests of one that a destination finds too large."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from otel_agent_eval.receivers.decode import count_items
from otel_agent_eval.signals import REQUEST_TYPES, ExportRequest, Payload, Signal

_LEVELS: Mapping[Signal, tuple[str, str, str]] = {
    Signal.TRACES: ("resource_spans", "scope_spans", "spans"),
    Signal.LOGS: ("resource_logs", "scope_logs", "log_records"),
    Signal.METRICS: ("resource_metrics", "scope_metrics", "metrics"),
}


def halves(payload: Payload) -> tuple[Payload, Payload] | None:
    """Return two requests with half of the spans, log records or metrics each, wrapped as they were.

    None where there are not two. Takes milliseconds a megabyte.
    """
    whole = REQUEST_TYPES[payload.signal].FromString(payload.body)
    total = sum(len(leaves) for leaves in _leaves(payload.signal, whole))
    if total < 2:  # noqa: PLR2004 (two halves)
        return None
    middle = total // 2
    return _part(payload, 0, middle), _part(payload, middle, total)


def _part(payload: Payload, start: int, end: int) -> Payload:
    """Return the part of a request between two positions."""
    resources, scopes, leaves = _LEVELS[payload.signal]
    part = REQUEST_TYPES[payload.signal].FromString(payload.body)
    position = 0
    groups = getattr(part, resources)
    for resource in list(groups):
        inner = getattr(resource, scopes)
        for scope in list(inner):
            kept = getattr(scope, leaves)
            size = len(kept)
            first, last = max(start - position, 0), max(end - position, 0)
            del kept[last:]
            del kept[:first]
            position += size
            if size and not kept:
                inner.remove(scope)
        if not inner:
            groups.remove(resource)
    return replace(payload, body=part.SerializeToString(), items=count_items(part))


def _leaves(signal: Signal, request: ExportRequest) -> list[Any]:
    resources, scopes, leaves = _LEVELS[signal]
    return [getattr(scope, leaves) for resource in getattr(request, resources) for scope in getattr(resource, scopes)]
