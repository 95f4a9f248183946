"""Where is my span? What the gateway can say of a trace or a span by its id: times and places, never content."""

import asyncio
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from otel_agent_eval.delivery import DeadLetters
from otel_agent_eval.journal import Journal, Located
from otel_agent_eval.service.build import AGENT_EVAL
from otel_agent_eval.service.sightings import Key, Sighting, Sightings

_ID = re.compile(r"[0-9a-f]{16}|[0-9a-f]{32}")
_MOST = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """A dead letter that holds the id: whose it is, since when (Unix seconds), and why it was not taken."""

    destination: str
    time: float
    reason: str


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
    queued: tuple[Located, ...]
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
    destinations: Collection[str],
    started: float,
) -> Whereabouts:
    """Find an id, as `clean_id` returns it; `started` is when the gateway began, in Unix seconds."""
    searched = await journal.search(bytes.fromhex(wanted))
    parked: list[Parked] = []
    if letters is not None:
        parked = await asyncio.to_thread(lambda: list(_parked(bytes.fromhex(wanted), letters, destinations)))
    return Whereabouts(
        id=wanted,
        answers=tuple(sightings.find(wanted))[:_MOST] if sightings is not None else (),
        remembered_since=sightings.since if sightings is not None else started,
        queued=searched.found,
        parked=tuple(parked[:_MOST]),
        whole=searched.whole,
    )


def _parked(wanted: bytes, letters: DeadLetters, destinations: Collection[str]) -> Iterator[Parked]:
    for name in destinations:
        for letter in letters.letters(name):
            if wanted in letter.record.payload.body:
                yield Parked(destination=name, time=letter.record.time, reason=letter.record.reason)


def readers(names: Collection[str]) -> str:
    """Write for whom a request is kept: destinations by name, and scoring."""
    return ", ".join("its scores" if name == AGENT_EVAL else name for name in names)
