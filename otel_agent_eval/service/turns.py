"""Keeps long work on the event loop from holding up everything else."""

import asyncio
import time
from types import TracebackType
from typing import Self


class Turns:
    """Lets long pieces of work share the event loop: one works at a time, for a slice, then the next has its turn.

    Use it as `async with turns:` around the work, and `await turns.pause()` after each small step. However many pieces
    wait, whatever else the loop has to do comes after one slice of `seconds`.
    """

    def __init__(self, seconds: float = 0.005) -> None:
        self._seconds = seconds
        self._lock = asyncio.Lock()
        self._since = 0.0

    async def __aenter__(self) -> Self:
        await self._begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()

    async def pause(self) -> None:
        """Give way if the slice is used up."""
        if time.perf_counter() - self._since < self._seconds:
            return
        self._lock.release()
        try:
            await asyncio.sleep(0)
        finally:
            await self._begin()

    async def _begin(self) -> None:
        await self._lock.acquire()
        self._since = time.perf_counter()
