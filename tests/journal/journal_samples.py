"""Journals and requests for tests."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from otel_agent_eval.journal import Cursor, Entry, Folder, Journal, Limits, ReaderLimits
from otel_agent_eval.signals import Payload, Signal

BOTH = ("a", "b")
READERS = dict.fromkeys(BOTH, ReaderLimits())


def payload(number: int, size: int = 10, signal: Signal = Signal.TRACES) -> Payload:
    """Make a request whose body tells it from all others, of which it is `number` items."""
    return Payload(signal, f"{number:>10}".encode() + b"x" * (size - 10), number, {"x-scope-orgid": "team-ä"})


@asynccontextmanager
async def opened(
    folder: Path | None, readers: Mapping[str, ReaderLimits] = READERS, size: int = 1 << 30, **settings: Any
) -> AsyncIterator[Journal]:
    """Open a journal with a cursor for each reader."""
    max_age, recalling = settings.pop("max_age", 1e9), settings.pop("recalling", frozenset())
    limits = Limits(size=size, max_age=max_age, readers=readers, recalling=frozenset(recalling))
    journal = Journal(limits, None if folder is None else Folder(folder), **settings)
    for name in readers:
        journal.cursor(name)
    await journal.start()
    try:
        yield journal
    finally:
        await journal.stop()


async def take(cursor: Cursor) -> Entry:
    """Take the next request and say that it is done."""
    await cursor.wait()
    entry = cursor.take()
    assert cursor.done(entry)
    return entry


async def take_all(cursor: Cursor) -> list[Payload]:
    """Take all that waits and can be read."""
    found = []
    while cursor.total.requests:
        waits = asyncio.ensure_future(cursor.wait()), asyncio.ensure_future(cursor.empty())
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if waits[0].done():
            found.append((await take(cursor)).payload)
        for wait in waits:
            wait.cancel()
    return found
