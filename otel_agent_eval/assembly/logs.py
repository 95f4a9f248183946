"""Log records that may hold the content of a span, kept until their span comes."""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from otel_agent_eval.conventions.span import EventView

_MAX_DEPTH = 8
_OVERHEAD = 200  # characters that one record weighs without content
_PREFIXES = ("gen_ai.", "ai.", "llm.", "openinference.", "traceloop.")


@dataclass(slots=True)
class _Kept:
    expires: float
    events: list[EventView] = field(default_factory=list)
    weight: int = 0


class Logs:
    """Events by (trace id, span id), for `keep` seconds and up to `limit` characters; the oldest go first."""

    def __init__(self, keep: float, limit: int) -> None:
        self._keep = keep
        self.limit = limit
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()
        self.weight = 0
        self.evicted = 0

    def add(self, trace_id: str, span_id: str, event: EventView, now: float) -> None:
        """Keep an event for its span."""
        kept = self._kept.setdefault((trace_id, span_id), _Kept(now + self._keep))
        weight = _OVERHEAD + _weigh(event.body, _MAX_DEPTH) + _weigh(event.attributes, _MAX_DEPTH)
        kept.events.append(event)
        kept.weight += weight
        self.weight += weight
        self._evict(self.limit)

    def take(self, trace_id: str, span_id: str) -> tuple[EventView, ...]:
        """Hand out the events of a span, in order of time, and forget them."""
        kept = self._kept.pop((trace_id, span_id), None)
        if kept is None:
            return ()
        self.weight -= kept.weight
        return tuple(sorted(kept.events, key=lambda event: event.time))

    def halve(self) -> None:
        """Forget the older half."""
        self._evict(self.weight // 2)

    def expire(self, now: float) -> None:
        """Forget what was kept long enough."""
        while self._kept and next(iter(self._kept.values())).expires <= now:
            self._forget_oldest()

    def _evict(self, limit: int) -> None:
        while self.weight > limit:
            self.evicted += len(self._forget_oldest().events)

    def _forget_oldest(self) -> _Kept:
        _, kept = self._kept.popitem(last=False)
        self.weight -= kept.weight
        return kept

    def __len__(self) -> int:
        return sum(len(kept.events) for kept in self._kept.values())


def may_hold_content(event: EventView) -> bool:
    """Say whether a log record could hold what was asked or answered, rather than be any line of a log."""
    return (
        event.name.startswith(_PREFIXES)
        or isinstance(event.body, dict)
        or any(key.startswith(_PREFIXES) for key in event.attributes)
    )


def _weigh(value: Any, depth: int) -> int:  # noqa: ANN401 (any attribute value)
    if isinstance(value, str | bytes):
        return len(value)
    if depth <= 0:
        return 0
    if isinstance(value, dict):
        return sum(len(key) + _weigh(item, depth - 1) for key, item in value.items())
    if isinstance(value, list):
        return sum(_weigh(item, depth - 1) for item in value)
    return 8  # a number
