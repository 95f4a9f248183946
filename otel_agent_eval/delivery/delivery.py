"""All destinations together: each gets everything meant for it, and none holds up another."""

import asyncio
import itertools
import logging
from collections import Counter
from collections.abc import Collection, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass

from otel_agent_eval.delivery.dead_letters import DeadLetters, Letter
from otel_agent_eval.delivery.destination import Destination
from otel_agent_eval.delivery.stats import DestinationStats
from otel_agent_eval.journal import Entry, Journal
from otel_agent_eval.seldom import Seldom
from otel_agent_eval.signals import Payload, Signal

_LOOK_EVERY = 1.0  # seconds, for dead letters that somebody has sent again
_PURGE_EVERY = 60  # looks
_MOST_LETTERS, _MOST_BYTES = 256, 8 << 20
"""Dead letters that are put back into the queue for a destination at a look: telemetry that comes needs room, too."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StrayLetters:
    """How many letters are left of a destination that is not configured: parked, and to be sent to it again."""

    destination: str
    parked: int
    resending: int


class Delivery:
    """Puts requests into the journal for the destinations that take their signal, which send them from there."""

    def __init__(
        self, journal: Journal, destinations: Sequence[Destination], dead_letters: DeadLetters | None = None
    ) -> None:
        self._journal = journal
        self._destinations = tuple(destinations)
        self._served = _signals(destinations)  # ever; where nothing was meant to go, nothing is missing
        self._removed: dict[str, Destination] = {}
        self._dead_letters = dead_letters
        self._homeless = Seldom(
            _log,
            "what was acknowledged goes nowhere: no destination is configured for its signal any more",
            level=logging.ERROR,
        )
        self._returning: asyncio.Task[None] | None = None
        self._returned: Counter[str] = Counter()
        self._letters: tuple[StrayLetters, ...] = ()

    async def start(self) -> None:
        """Start sending, what an earlier process has left first. The journal must have been started."""
        for destination in self._destinations:
            await destination.start()
        if self._dead_letters is not None:
            self._returning = asyncio.create_task(self._return_letters(self._dead_letters))

    def room(self, signal: Signal, size: int) -> bool:
        """Say whether a request of `size` bytes fits in the queues of all destinations of a signal."""
        return self._journal.room(self._readers(signal), size)

    async def accept(self, payload: Payload, others: Collection[str] = (), *, forward: bool = True) -> Entry | None:
        """Keep a request for its destinations, if it is to be forwarded, and for `others`; return when it is kept.

        None where nobody takes it. Raises `Refused` where it cannot be kept.
        """
        readers = self._count_off(payload, others) if forward else others
        return await self._journal.append(payload, readers) if readers else None

    async def push(self, payload: Payload) -> bool:
        """Keep a request past all limits: for what the gateway has already accepted, or made itself.

        Returns when it is kept, or delivered; False where the journal stops before.
        """
        readers = self._count_off(payload)
        if payload.signal in self._served - _signals(self._destinations):
            self._homeless(signal=payload.signal.value, items=payload.items)
        return not readers or await self._journal.keep(payload, readers)

    async def stop(self, grace: float = 10.0) -> None:
        """Send what waits for at most `grace` seconds; what is left is logged, and counted where it is lost."""
        if self._returning is not None:
            self._returning.cancel()
            await asyncio.gather(self._returning, return_exceptions=True)
        await asyncio.gather(*(destination.stop(grace) for destination in self._destinations))

    @property
    def destinations(self) -> Mapping[str, Destination]:
        """The destinations that there are now, by name."""
        return {destination.name: destination for destination in self._destinations}

    def replace(self, destinations: Sequence[Destination], grace: float) -> Coroutine[None, None, None]:
        """Take requests for these destinations from now on, of which some may be there already; the others must be new.

        Await what is returned: it starts those that come and stops those that go, which finish what they are sending
        for at most `grace` seconds. What waits for one that goes stays: for its successor of the same name, or until
        there is one, or room is needed.
        """
        gone = [destination for destination in self._destinations if destination not in destinations]
        come = [destination for destination in destinations if destination not in self._destinations]
        self._destinations = tuple(destinations)
        self._served |= _signals(destinations)
        names = self.destinations.keys()
        self._removed = {name: left for name, left in self._removed.items() if name not in names}
        self._removed |= {destination.name: destination for destination in gone if destination.name not in names}
        return self._change_over(come, gone, grace)

    async def _change_over(self, come: Sequence[Destination], gone: Sequence[Destination], grace: float) -> None:
        for destination in come:
            await destination.start()
        await asyncio.gather(*(destination.hand_over(grace) for destination in gone))
        for destination in gone:
            waiting = destination.stats().queued_requests
            if waiting and destination.name in self._removed:
                _log.warning(
                    "requests for a destination that was removed stay in the queue until room is needed",
                    extra={"destination": destination.name, "requests": waiting},
                )

    def stats(self) -> list[DestinationStats]:
        """Return the state of every destination, at last of those that were removed."""
        return [destination.stats() for destination in (*self._destinations, *self._removed.values())]

    def strays(self) -> list[StrayLetters]:
        """Return of which destinations only letters are left, and how many."""
        known = {stats.name for stats in self.stats()}
        return [stray for stray in self._letters if stray.destination not in known]

    def _readers(self, signal: Signal) -> list[str]:
        return [destination.name for destination in self._destinations if destination.takes(signal)]

    def _count_off(self, payload: Payload, others: Collection[str] = ()) -> list[str]:
        """Return for whom a request is; count it where a destination does not take its signal."""
        for destination in self._destinations:
            if not destination.takes(payload.signal):
                destination.pass_by(payload)
        return [*self._readers(payload.signal), *others]

    async def _return_letters(self, letters: DeadLetters) -> None:
        """Put dead letters that are to be sent again back into the queue, and let go of those that are too old."""
        unpurged = Seldom(_log, "dead letters that are too old or too many cannot be deleted", level=logging.ERROR)
        unreturned = Seldom(
            _log,
            "dead letters are in the queue again, and cannot be deleted: a restart sends them again",
            level=logging.ERROR,
        )
        for look in itertools.count():
            if look % _PURGE_EVERY == 0:
                try:
                    await asyncio.to_thread(letters.purge)
                except OSError as error:
                    unpurged(error=error.strerror)
            for destination in self._destinations:
                try:
                    await self._return_to(destination.name, letters)
                except OSError as error:
                    unreturned(destination=destination.name, error=error.strerror)
            for destination in (*self._destinations, *self._removed.values()):
                await destination.count_dead_letters()
            self._letters = await asyncio.to_thread(_counted, letters)
            self._tell_returned(all_of_them=look % _PURGE_EVERY == 0)
            await asyncio.sleep(_LOOK_EVERY)

    async def _return_to(self, name: str, letters: DeadLetters) -> None:
        """Put some of the letters for a destination back into the queue, as far as there is room."""
        for letter in await asyncio.to_thread(lambda: _some(letters.returning(name))):
            payload = letter.record.payload
            if not self._journal.room([name], len(payload.body)):
                return
            if await self._journal.keep(payload, [name]):
                self._returned[name] += 1
                await asyncio.to_thread(letters.returned, letter)

    def _tell_returned(self, *, all_of_them: bool) -> None:
        """Say what is sent again, in one line for all of a destination's, or once a minute."""
        returning = {left.destination for left in self._letters if left.resending}
        for name in [name for name in self._returned if all_of_them or name not in returning]:
            fields = {"destination": name, "requests": self._returned.pop(name)}
            _log.info("dead letters are sent again", extra=fields)


def _some(letters: Iterable[Letter]) -> list[Letter]:
    some, size = list[Letter](), 0
    for letter in letters:
        some.append(letter)
        size += len(letter.record.payload.body)
        if len(some) >= _MOST_LETTERS or size >= _MOST_BYTES:
            break
    return some


def _counted(letters: DeadLetters) -> tuple[StrayLetters, ...]:
    found = (StrayLetters(name, letters.count(name), letters.count_returning(name)) for name in letters.destinations())
    return tuple(each for each in found if each.parked or each.resending)


def _signals(destinations: Sequence[Destination]) -> set[Signal]:
    return {signal for destination in destinations for signal in destination.signals}
