"""The spans on their way: those that wait for a verdict, and those that left and may still be spoken of."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_agent_eval.annotation.result import JudgedSpan
from otel_agent_eval.conventions.extract import Extract
from otel_agent_eval.journal import Receipt
from otel_agent_eval.service.held import HeldSpan
from otel_agent_eval.service.sightings import Key, Sightings

_SILENT = 20_000
"""Spans that left without content, for which log records may still come."""
_COUNTED = 50_000
"""Answers of before a restart that are not counted again when they are sent again."""
_JUDGED = 4_000
"""Spans whose verdict is kept for when they are sent again: a sender that missed its answer does so within seconds."""


@dataclass(slots=True, eq=False, kw_only=True)
class Pending:
    """What must be known of a span when its verdict comes.

    `extract` says who answered, without any text. `digest` tells the same span sent again from another with the same
    ids. `counted`: it was judged before a restart, and its verdict is neither counted nor published again. `until` is
    when it leaves, come what may. `held` is empty in side mode and once the span has left. `receipt` is
    held while the span is on the waiting list.
    """

    key: Key
    extract: Extract
    resource: Resource
    metadata: Mapping[str, str]
    receipt: Receipt
    flags: int
    weight: float
    matched: Mapping[str, object]
    switch: str
    digest: int
    counted: bool
    until: float
    held: list[HeldSpan] = field(default_factory=list)


class Spans:
    """Keeps spans by their ids, and counts the bytes of those that are held."""

    def __init__(self) -> None:
        self.waiting: dict[Key, Pending] = {}  # roughly in order of `until`
        self._silent: OrderedDict[Key, Pending] = OrderedDict()
        self._judged: OrderedDict[Key, tuple[int, JudgedSpan]] = OrderedDict()
        self._counted: OrderedDict[Key, int] = OrderedDict()
        self._no_resource = Resource()  # one for all: a span's own is written on events only
        self.held_bytes = 0
        self.sightings = Sightings()

    def wait(self, pending: Pending) -> None:
        """Put a span on the waiting list."""
        pending.receipt.hold()
        self.waiting[pending.key] = pending
        self.sightings.received(pending.key)

    def hold(self, pending: Pending, span: HeldSpan) -> None:
        """Hold a span until it is released."""
        pending.held.append(span)
        self.held_bytes += span.size

    def release(self, pending: Pending) -> list[HeldSpan]:
        """Take a span off the waiting list; what was held of it is returned, to be sent."""
        if self.waiting.get(pending.key) is pending:
            del self.waiting[pending.key]
            pending.receipt.release()
            self.sightings.left(pending.key)
        held, pending.held = pending.held, []
        self.held_bytes -= sum(span.size for span in held)
        return held

    def extend(self, pending: Pending, until: float) -> None:
        """Let a span wait until then, as the last of all."""
        if self.waiting.pop(pending.key, None) is not None:
            self.waiting[pending.key] = pending
            pending.until = until
            self.sightings.judging(pending.key)

    def overdue(self, now: float) -> Iterator[Pending]:
        """Yield the spans whose time is up; release each before asking for the next."""
        while (oldest := self.oldest()) is not None and oldest.until <= now:
            yield oldest

    def oldest(self) -> Pending | None:
        """Return the span that has waited longest."""
        return next(iter(self.waiting.values()), None)

    def remember_silent(self, pending: Pending) -> None:
        """Keep what log records that come late would need."""
        self._silent[pending.key] = pending
        if len(self._silent) > _SILENT:
            self._silent.popitem(last=False)

    def take_silent(self, key: Key) -> Pending | None:
        """Return what was kept of a span that left without content."""
        return self._silent.pop(key, None)

    def remember_judged(self, pending: Pending, judged: JudgedSpan) -> None:
        """Keep a verdict, without the texts it is about and the resource, for when the span is sent again."""
        self.sightings.judged(pending.key, judged)
        candidate = judged.candidate
        kept = replace(
            candidate,
            extract=pending.extract,
            interactions=tuple(
                replace(interaction, answer="", question="", turns=(), documents=(), grounding=())
                for interaction in candidate.interactions
            ),
        )
        self._judged[pending.key] = (pending.digest, replace(judged, candidate=kept, resource=self._no_resource))
        if len(self._judged) > _JUDGED:
            self._judged.popitem(last=False)

    def verdict_on(self, key: Key, span: Span) -> JudgedSpan | None:
        """Return the verdict on a span that was sent before, this very one."""
        digest, judged = self._judged.get(key, (0, None))
        return judged if judged is not None and digest == digest_of(span) else None

    def remember_counted(self, key: Key, span: Span) -> None:
        """Keep in mind that a span was judged by an earlier process."""
        self._counted[key] = digest_of(span)
        if len(self._counted) > _COUNTED:
            self._counted.popitem(last=False)

    def was_counted(self, key: Key, span: Span) -> bool:
        """Whether an earlier process judged a span, this very one."""
        return key in self._counted and self._counted[key] == digest_of(span)


def bare(extract: Extract) -> Extract:
    """Return what is read of a span without any content."""
    return Extract(convention=extract.convention, role=extract.role, model=extract.model, agent=extract.agent)


def digest_of(span: Span) -> int:
    """Return a number that is the same for the same span."""
    return hash(span.SerializeToString(deterministic=True))
