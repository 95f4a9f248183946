"""Destinations with a journal in memory, for tests that look at one of them."""

from collections.abc import Collection, Mapping
from typing import Any

from otel_agent_eval.delivery import Delivery, Destination, DestinationStats
from otel_agent_eval.exporters import Exporter
from otel_agent_eval.journal import Journal, Limits, Loss, ReaderLimits
from otel_agent_eval.signals import Payload, Signal


class Queued:
    """Destinations of one journal, which is in memory unless a folder is among the `journal` settings."""

    def __init__(
        self,
        *exporters: Exporter,
        limits: ReaderLimits = ReaderLimits(),  # noqa: B008 (immutable)
        size: int = 1 << 30,
        signals: Mapping[str, Collection[Signal]] | None = None,
        journal: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        self.lost: list[tuple[str, Signal, Loss, int]] = []
        readers = {exporter.name: limits for exporter in exporters}
        self.journal = Journal(
            Limits(size=size, readers=readers),
            lose=lambda *lost: self.lost.append(lost),
            **(journal or {}),
            **{key: value for key, value in settings.items() if key == "clock"},
        )
        self.destinations = [
            Destination(
                exporter,
                self.journal.cursor(exporter.name),
                signals=(signals or {}).get(exporter.name, frozenset(Signal)),
                **settings,
            )
            for exporter in exporters
        ]
        self.delivery = Delivery(self.journal, self.destinations, settings.get("dead_letters"))

    async def start(self) -> None:
        await self.journal.start()
        await self.delivery.start()

    async def put(self, payload: Payload) -> None:
        await self.delivery.push(payload)

    def room(self, signal: Signal, size: int) -> bool:
        return self.delivery.room(signal, size)

    def stats(self) -> DestinationStats:
        return self.delivery.stats()[0]

    async def stop(self, grace: float) -> None:
        await self.delivery.stop(grace)
        await self.journal.stop()
