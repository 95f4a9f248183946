"""All destinations together: each gets everything meant for it, and none holds up another."""

import asyncio
from collections.abc import Sequence

from otel_agent_eval.delivery.destination import Destination
from otel_agent_eval.delivery.stats import DestinationStats
from otel_agent_eval.signals import Payload, Signal


class Delivery:
    """Hands requests to the destinations that carry their signal; their queues share the same bytes."""

    def __init__(self, destinations: Sequence[Destination]) -> None:
        self._destinations = tuple(destinations)

    def start(self) -> None:
        """Start sending."""
        for destination in self._destinations:
            destination.start()

    def room(self, signal: Signal, size: int) -> bool:
        """Say whether every destination of a signal has room for a request of `size` bytes."""
        return all(destination.room(signal, size) for destination in self._of(signal))

    def push(self, payload: Payload) -> None:
        """Hand over a request past all limits: for what the gateway has already accepted, or made itself."""
        for destination in self._of(payload.signal):
            destination.put(payload)

    async def stop(self, grace: float = 10.0) -> None:
        """Send what waits for at most `grace` seconds; what is left is counted and logged."""
        await asyncio.gather(*(destination.stop(grace) for destination in self._destinations))

    def stats(self) -> list[DestinationStats]:
        """Return the state of every destination."""
        return [destination.stats() for destination in self._destinations]

    def _of(self, signal: Signal) -> list[Destination]:
        return [destination for destination in self._destinations if signal in destination.signals]
