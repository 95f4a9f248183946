"""An exporter whose attempts are told: how long each took, of how many items, and whether the request was taken."""

import time
from collections.abc import Callable

from otel_agent_eval.exporters.exporter import Exporter
from otel_agent_eval.signals import Payload, Signal

Attempted = Callable[[str, Signal, float, int, bool], None]
"""Told the destination's name, the signal, the seconds, the request's items, and whether it was taken."""


class Measured:
    """Exports as another does, and tells of every attempt."""

    def __init__(self, exporter: Exporter, attempted: Attempted, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = exporter.name
        self.signals = exporter.signals
        self._exporter = exporter
        self._attempted = attempted
        self._clock = clock

    async def export(self, payload: Payload) -> int:
        """Export, and raise what the exporter raises."""
        began, taken = self._clock(), False
        try:
            rejected = await self._exporter.export(payload)
            taken = True
        finally:
            self._attempted(self.name, payload.signal, self._clock() - began, payload.items, taken)
        return rejected

    async def close(self) -> None:
        """Let go of connections."""
        await self._exporter.close()
