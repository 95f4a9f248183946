"""Where is my span? What the gateway can say of a trace or a span by its id: times and places, never content."""

import asyncio
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice

from otel_agent_eval.delivery import DeadLetters
from otel_agent_eval.journal import Journal, Located
from otel_agent_eval.service.build import AGENT_EVAL
from otel_agent_eval.service.sightings import Key, Sighting, Sightings
from otel_agent_eval.signals import Signal

_ID = re.compile(r"[0-9a-f]{16}|[0-9a-f]{32}")
_MOST = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """A dead letter that holds the id: whose it is, since when (Unix seconds), and why it was not taken.

    With `resending` it is to be sent again.
    """

    destination: str
    time: float
    reason: str
    resending: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A request in the queue that holds the id: its position, since when (Unix seconds), and who is done with it.

    `done` are those for whom nothing of it is left to do; `parked` those of whom there is a dead letter with the id.
    """

    position: int
    time: float
    signal: Signal
    waiting: tuple[str, ...]
    done: tuple[str, ...]
    parked: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Whereabouts:
    """All that is known of an id.

    `answers` are spans with answers that came by lately, the earliest first, remembered back to `remembered_since`
    (Unix seconds); `queued` and `parked` are requests that hold the id. `whole` is False where there is more in the
    queue than was looked through.
    """

    id: str
    answers: tuple[tuple[Key, Sighting], ...]
    remembered_since: float
    queued: tuple[Kept, ...]
    parked: tuple[Parked, ...]
    whole: bool

    @property
    def known(self) -> bool:
        """Whether anything is known."""
        return bool(self.answers or self.queued or self.parked)


def clean_id(text: str) -> str:
    """Return a trace or span id in lower-case hex. Raises `ValueError` for what is none."""
    wanted = text.strip().lower().removeprefix("0x").replace("-", "")
    if not _ID.fullmatch(wanted):
        raise ValueError("an id has 32 hexadecimal digits (a trace) or 16 (a span)")
    return wanted


async def find(
    wanted: str,
    sightings: Sightings | None,
    journal: Journal,
    letters: DeadLetters | None,
    started: float,
) -> Whereabouts:
    """Find an id, as `clean_id` returns it; `started` is when the gateway began, in Unix seconds."""
    searched = await journal.search(bytes.fromhex(wanted))
    parked: list[Parked] = []
    if letters is not None:
        parked = await asyncio.to_thread(lambda: list(islice(_parked(bytes.fromhex(wanted), letters), _MOST)))
    return Whereabouts(
        id=wanted,
        answers=tuple(sightings.find(wanted))[:_MOST] if sightings is not None else (),
        remembered_since=sightings.since if sightings is not None else started,
        queued=tuple(_kept(located, {letter.destination for letter in parked}) for located in searched.found),
        parked=tuple(parked),
        whole=searched.whole,
    )


def _parked(wanted: bytes, letters: DeadLetters) -> Iterator[Parked]:
    for name in letters.destinations():
        for resending, found in ((False, letters.letters(name)), (True, letters.returning(name))):
            for record in (letter.record for letter in found):
                if wanted in record.payload.body:
                    yield Parked(destination=name, time=record.time, reason=record.reason, resending=resending)


def _kept(located: Located, parked: Collection[str]) -> Kept:
    return Kept(
        position=located.position,
        time=located.time,
        signal=located.signal,
        waiting=located.waiting,
        done=tuple(name for name in located.done if name not in parked),
        parked=tuple(name for name in located.done if name in parked),
    )


def readers(names: Collection[str]) -> str:
    """Write for whom a request is kept: destinations by name, and scoring."""
    return ", ".join("its scores" if name == AGENT_EVAL else name for name in names)
