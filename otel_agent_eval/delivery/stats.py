"""What became of what was handed to a destination."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from otel_agent_eval.signals import Signal


class Fate(StrEnum):
    """How items ended; all but `SENT` did not arrive."""

    SENT = "sent"
    REJECTED = "rejected"  # the destination will never take them (they are parked), or took the request without them
    UNSUPPORTED = "unsupported"  # the destination does not take this signal
    EXPIRED = "expired"  # tried again for longer than max_elapsed_time
    STOPPED = "stopped"  # still waiting in memory when the time to drain was over


@dataclass(frozen=True, slots=True)
class LastError:
    """The latest failure: its kind, free of content, and its Unix time in seconds."""

    kind: str
    time: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationStats:
    """A destination at one moment. `items` counts spans, log records and data points since the start.

    `queued_requests` and `queued_bytes` include what is being sent; `oldest_age` is the seconds that the first of them
    has waited, 0 for none. `next_retry` is the seconds until a request is tried again, None where none waits for that;
    `removed` says that the configuration names it no more. `dead_letters` counts requests that are parked,
    `resending` those that were, and are to be sent again.
    """

    name: str
    signals: frozenset[Signal]
    queued_requests: int
    queued_bytes: int
    queued_by_signal: Mapping[Signal, int]
    oldest_age: float
    items: Mapping[tuple[Signal, Fate], int]
    retries: int
    next_retry: float | None
    dead_letters: int
    resending: int
    removed: bool
    last_error: LastError | None
    unsupported: frozenset[Signal]
