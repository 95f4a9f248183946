"""What is remembered of answers that came by, for whoever asks where a span is: times and endings, never content."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from otel_agent_eval.annotation.result import JudgedSpan
from otel_agent_eval.evaluation.evaluation import Evaluation, Failed, Scored, Skipped

MOST_SIGHTINGS = 20_000
"""Spans that are remembered; some 600 bytes each."""

Key = tuple[str, str]
"""Trace id and span id, in hex."""


@dataclass(slots=True)
class Sighting:
    """A span in which an agent answered somebody; times are Unix seconds, 0 for not yet.

    `judged_since` is when its wait for its trace was over; `verdicts` tells by evaluator how it ended, choices in
    order: `pass`, `fail`, `skipped: no_context`, `failed: Timeout`.
    """

    received: float
    judged_since: float = 0.0
    left: float = 0.0
    verdicts: Mapping[str, str] = field(default_factory=dict)


class Sightings:
    """The latest spans, by their ids. One that is sent again counts as new."""

    def __init__(self, most: int = MOST_SIGHTINGS, clock: Callable[[], float] = time.time) -> None:
        self._most = most
        self._clock = clock
        self._seen: OrderedDict[Key, Sighting] = OrderedDict()
        self.since = clock()
        """Since when nothing has been forgotten."""
        self.waited: Callable[[Key, float], None] | None = None
        """Told of each span that left how many seconds it had waited."""

    def received(self, key: Key) -> None:
        """Note that a span has come."""
        self._seen.pop(key, None)
        self._seen[key] = Sighting(self._clock())
        if len(self._seen) > self._most:
            _, forgotten = self._seen.popitem(last=False)
            self.since = forgotten.received

    def judging(self, key: Key) -> None:
        """Note that a span waits for its scores now."""
        if (sighting := self._seen.get(key)) is not None:
            sighting.judged_since = self._clock()

    def left(self, key: Key) -> None:
        """Note that a span waits no more: what was held of it is on its way."""
        if (sighting := self._seen.get(key)) is not None:
            sighting.left = self._clock()
            if self.waited is not None:
                self.waited(key, max(0.0, sighting.left - sighting.received))

    def judged(self, key: Key, verdict: JudgedSpan) -> None:
        """Note how a span was judged."""
        if (sighting := self._seen.get(key)) is not None:
            sighting.verdicts = _endings(verdict)

    def find(self, wanted: str) -> Iterator[tuple[Key, Sighting]]:
        """Yield the spans of a trace, or the span, that has this id, in hex."""
        for key, sighting in list(self._seen.items()):
            if wanted in key:
                yield key, sighting


def _endings(verdict: JudgedSpan) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for choice in verdict.verdicts:
        for name, evaluation in choice.items():
            found.setdefault(name, []).append(_ending(evaluation))
    return {name: ", ".join(dict.fromkeys(endings)) for name, endings in found.items()}


def _ending(evaluation: Evaluation) -> str:
    match evaluation:
        case Scored(label=label):
            return label.value
        case Skipped(reason=reason):
            return f"skipped: {reason.value}"
        case Failed(error_type=error_type):
            return f"failed: {error_type}"
