"""What cannot be written: handed to its readers from memory."""

import asyncio
from collections.abc import Iterable

from otel_agent_eval.journal.cursor import Cursor, Entry
from otel_agent_eval.journal.segments import Mark
from otel_agent_eval.signals import Payload

NOWHERE = 0
"""The segment of what is handed over; those on disk count from 1."""


class HandOver:
    """Requests that are in memory only, until all their readers are done with them."""

    def __init__(self) -> None:
        self._before = 0  # counted downwards, beside the sequence numbers of what is written
        self._open: dict[int, tuple[set[str], asyncio.Future[bool]]] = {}

    async def give(self, payload: Payload, readers: Iterable[Cursor], since: float) -> bool:
        """Return when all readers are done with a request, False where the journal stops before."""
        cursors = tuple(readers)
        self._before -= 1
        mark = Mark(NOWHERE, self._before, payload.signal, payload.items, len(payload.body))
        outcome: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._open[mark.sequence] = ({cursor.name for cursor in cursors}, outcome)
        for cursor in cursors:
            cursor.hand(Entry(mark, payload, since))
        try:
            return await outcome
        finally:
            del self._open[mark.sequence]

    def done(self, mark: Mark, name: str) -> None:
        """Note that one reader is done with a request."""
        readers, outcome = self._open.get(mark.sequence, (set[str](), None))
        readers.discard(name)
        if outcome is not None and not readers and not outcome.done():
            outcome.set_result(True)

    def end(self) -> None:
        """Wait for nobody any more."""
        for _, outcome in self._open.values():
            if not outcome.done():
                outcome.set_result(False)
