"""What leaves: requests as they came, and judged spans and their events, gathered for a moment into few requests."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping

from otel_agent_eval.annotation.events import evaluation_events
from otel_agent_eval.annotation.result import Forms, JudgedSpan
from otel_agent_eval.service.held import HeldSpan, together
from otel_agent_eval.signals import Payload, Signal

_LINGER = 0.02
"""Seconds in which judged spans gather: batches save their destination work, and nobody sees the delay."""
_MOST_SPANS = 512
"""Spans that leave without waiting for more."""


class Outbox:
    """Gathers what judged spans send.

    `send` must take every payload: what reaches the outbox has been accepted. Events go out only where `events` is
    true, that is where a logs pipeline carries them.
    """

    def __init__(self, send: Callable[[Payload], None], forms: Forms, *, events: bool) -> None:
        self.send = send
        self._forms = forms
        self._events = events
        self._spans: list[HeldSpan] = []
        self._judged: list[JudgedSpan] = []
        self._timer: asyncio.TimerHandle | None = None

    def release(self, spans: Iterable[HeldSpan]) -> None:
        """Send spans that were held."""
        self._spans.extend(spans)
        self._schedule()

    def publish(self, judged: JudgedSpan) -> None:
        """Send the events of a verdict."""
        if self._events:
            self._judged.append(judged)
            self._schedule()

    def flush(self) -> None:
        """Send what has gathered."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        spans, self._spans = self._spans, []
        judged, self._judged = self._judged, []
        for metadata, group in _by_metadata(spans):
            self.send(Payload(Signal.TRACES, together(group).SerializeToString(), len(group), metadata))
        if judged:
            events = evaluation_events(judged, time.time_ns(), self._forms)
            count = sum(len(scope.log_records) for resource in events.resource_logs for scope in resource.scope_logs)
            if count:
                self.send(Payload(Signal.LOGS, events.SerializeToString(), count))

    def _schedule(self) -> None:
        if len(self._spans) + len(self._judged) >= _MOST_SPANS:
            self.flush()
        elif self._timer is None and (self._spans or self._judged):
            self._timer = asyncio.get_running_loop().call_later(_LINGER, self.flush)


def _by_metadata(spans: Iterable[HeldSpan]) -> list[tuple[Mapping[str, str], list[HeldSpan]]]:
    groups: dict[tuple[tuple[str, str], ...], list[HeldSpan]] = {}
    for span in spans:
        groups.setdefault(tuple(sorted(span.envelope.metadata.items())), []).append(span)
    return [(dict(key), group) for key, group in groups.items()]
