"""How much the journal keeps, how long, and what happens beyond that."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from otel_agent_eval.signals import Signal

_LARGEST_SEGMENT, _SMALLEST_SEGMENT = 16 << 20, 64 << 10
_SEGMENTS = 16  # into which what is kept is divided at least: it is freed a segment at a time
_YOUNG = 64  # segments from which on new ones are begun less often: the more there are, the longer all of it takes


class Loss(StrEnum):
    """Why the journal gave something up."""

    FULL = "journal_full"
    EXPIRED = "expired"
    UNREADABLE = "unreadable"


Lose = Callable[[str, Signal, Loss, int], None]
"""Told of what is given up: for whom it was, its signal, why, and how many items."""


@dataclass(frozen=True, slots=True)
class ReaderLimits:
    """How many bytes may wait for one reader, None for any number, and what happens when there is no room for more."""

    bytes: int | None = None
    on_full: Literal["refuse", "drop_oldest"] = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bytes and age (seconds) of the whole, and the limits of each reader there is.

    `recall` is how many seconds the records for `recalling` readers stay beyond their use: what comes later may rest on
    them, and they are given to those readers again after a restart.
    """

    size: int = 2 << 30
    max_age: float = 7 * 86400.0
    readers: Mapping[str, ReaderLimits] = field(default_factory=dict)
    recalling: frozenset[str] = frozenset()
    recall: float = 60.0

    @property
    def segment_bytes(self) -> int:
        """The size at which a file is complete."""
        smallest = min([self.size, *(own.bytes for own in self.readers.values() if own.bytes is not None)])
        return max(_SMALLEST_SEGMENT, min(_LARGEST_SEGMENT, smallest // _SEGMENTS))

    @property
    def segment_age(self) -> float:
        """The age in seconds at which a file is complete: what is younger would keep what is older."""
        return self.max_age / _SEGMENTS

    def recalled_age(self, segments: int) -> float:
        """The age in seconds at which a file with records to recall is complete, where there are so many files.

        It is deleted as a whole, so what comes would keep for ever what came before it. Where a destination is down all
        of it waits anyway: files then grow older the more there are, to some thousand in a week.
        """
        return min(self.segment_age, self.recall * max(1.0, segments / _YOUNG))

    def droppable(self, reader: str) -> bool:
        """Whether a reader may lose what is oldest; one that there is not any more may."""
        own = self.readers.get(reader)
        return own is None or own.on_full == "drop_oldest"
