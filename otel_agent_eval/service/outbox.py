"""What leaves: what is left of requests, and judged spans and their events, gathered for a moment into few requests."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from otel_agent_eval.annotation.events import evaluation_events
from otel_agent_eval.annotation.result import Forms, JudgedSpan
from otel_agent_eval.journal import Receipt
from otel_agent_eval.service.held import HeldSpan, together
from otel_agent_eval.signals import Payload, Signal

_LINGER = 0.02
"""Seconds in which judged spans gather: batches save their destination work, and nobody sees the delay."""
_MOST_SPANS = 512
_MOST_BYTES = 1 << 20
"""Spans, and bytes, that leave without waiting for more: backends take no more than 4 MiB unless they are told to."""


@dataclass(slots=True)
class _Gathered:
    """What leaves together: of one tenant, as the requests' metadata names it. All `receipts` are held."""

    metadata: Mapping[str, str]
    spans: list[HeldSpan] = field(default_factory=list)
    judged: list[JudgedSpan] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    size: int = 0

    @property
    def full(self) -> bool:
        return len(self.spans) + len(self.judged) >= _MOST_SPANS or self.size >= _MOST_BYTES


Send = Callable[[Payload, Sequence[Receipt]], None]
"""Takes what leaves, and releases the receipts as soon as it is kept for its destinations."""


class Outbox:
    """Gathers what judged spans send.

    `send` must take every payload: what reaches the outbox has been accepted. Events go out only where `events` is
    true, that is where a logs pipeline carries them.
    """

    def __init__(self, send: Send, forms: Forms, *, events: bool) -> None:
        self._leave = send
        self._forms = forms
        self._events = events
        self._gathered: dict[tuple[tuple[str, str], ...], _Gathered] = {}
        self._timer: asyncio.TimerHandle | None = None

    def adopt(self, forms: Forms, *, events: bool) -> None:
        """Write in other forms from now on."""
        self._forms = forms
        self._events = events

    def send(self, payload: Payload, receipt: Receipt) -> None:
        """Send what is left of a request."""
        receipt.hold()
        self._leave(payload, [receipt])

    def release(self, spans: Iterable[HeldSpan]) -> None:
        """Send spans that were held."""
        for span in spans:
            gathered = self._of(span.envelope.metadata)
            if gathered.spans and gathered.size + span.size > _MOST_BYTES:
                self._send(gathered)
                gathered = self._of(span.envelope.metadata)
            gathered.spans.append(span)
            gathered.receipts.append(span.receipt)
            gathered.size += span.size
            self._schedule(gathered)

    def publish(self, judged: JudgedSpan, metadata: Mapping[str, str], receipt: Receipt) -> None:
        """Send the events of a verdict, with the metadata of its span's request and the span's receipt."""
        if self._events:
            gathered = self._of(metadata)
            receipt.hold()
            gathered.receipts.append(receipt)
            gathered.judged.append(judged)
            gathered.size += judged.resource.ByteSize()
            self._schedule(gathered)

    def flush(self) -> None:
        """Send what has gathered."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for gathered in list(self._gathered.values()):
            self._send(gathered)

    def _of(self, metadata: Mapping[str, str]) -> _Gathered:
        key = _key(metadata)
        if key not in self._gathered:
            self._gathered[key] = _Gathered(metadata)
        return self._gathered[key]

    def _schedule(self, gathered: _Gathered) -> None:
        if gathered.full:
            self._send(gathered)
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_LINGER, self.flush)

    def _send(self, gathered: _Gathered) -> None:
        """Send what has gathered; its receipts are released once all of it is kept."""
        del self._gathered[_key(gathered.metadata)]
        payloads = []
        events = evaluation_events(gathered.judged, time.time_ns(), self._forms)
        count = sum(len(scope.log_records) for resource in events.resource_logs for scope in resource.scope_logs)
        if count:
            payloads.append(Payload(Signal.LOGS, events.SerializeToString(), count, gathered.metadata))
        if gathered.spans:
            body = together(gathered.spans).SerializeToString()
            payloads.append(Payload(Signal.TRACES, body, len(gathered.spans), gathered.metadata))
        for payload in payloads:
            for receipt in gathered.receipts:
                receipt.hold()
            self._leave(payload, gathered.receipts)
        for receipt in gathered.receipts:
            receipt.release()


def _key(metadata: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(metadata.items()))
