"""Who may send, and how much: asked before a request is read."""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from otel_agent_eval.auth import Authenticator
from otel_agent_eval.receivers.errors import Cause, Rejection, Unavailable
from otel_agent_eval.seldom import Seldom
from otel_agent_eval.signals import Refused

_log = logging.getLogger(__name__)

_BURST_SECONDS = 10.0  # SDKs send what they have every 5 s, all at once
_CLIENTS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientLimits:
    """How much each client may send on average over ten seconds; bytes are those of requests after decompression."""

    requests_per_second: float | None = None
    bytes_per_second: float | None = None


class ClientMeter:
    """What each client has sent of late; the receivers that share one count together."""

    def __init__(self, limits: ClientLimits, clock: Callable[[], float] = time.monotonic) -> None:
        self._requests = _Meter(limits.requests_per_second, clock) if limits.requests_per_second else None
        self._bytes = _Meter(limits.bytes_per_second, clock) if limits.bytes_per_second else None
        self._fast = Seldom(_log, "senders are asked to come back later: they send too much")

    def begin(self, client: str) -> None:
        """Count a request. Raises `Unavailable` where the client has to wait."""
        wait = max((meter.wait(client) for meter in (self._requests, self._bytes) if meter is not None), default=0.0)
        if wait > 0.0:
            self._fast(client=client)
            raise Unavailable(Cause.THROTTLED, "more than this client may send", wait)
        if self._requests is not None:
            self._requests.charge(client, 1)

    def charge(self, client: str, size: int) -> None:
        """Count the bytes of a request that was read."""
        if self._bytes is not None:
            self._bytes.charge(client, size)


class Gate:
    """Lets senders in: those who may send, as much as they may."""

    def __init__(self, authenticator: Authenticator | None = None, meter: ClientMeter | None = None) -> None:
        self.challenge = authenticator.challenge if authenticator else ""
        self._authenticator = authenticator
        self._meter = meter
        self._unknown = Seldom(_log, "senders are refused: their credentials are missing or wrong")

    async def admit(self, client: str, authorization: str | bytes) -> None:
        """Return where the client may send now. Raises `Rejection`: unauthenticated, or to be sent again later."""
        if self._authenticator is not None:
            try:
                admitted = await self._authenticator.admits(authorization)
            except Refused as error:
                raise Unavailable(Cause.THROTTLED, str(error), error.retry_after) from None
            if not admitted:
                self._unknown(client=client, credentials="wrong" if authorization else "missing")
                raise Rejection(Cause.UNAUTHENTICATED, "credentials are missing or wrong")
        if self._meter is not None:
            self._meter.begin(client)

    def charge(self, client: str, size: int) -> None:
        """Count the bytes of a request that was read."""
        if self._meter is not None:
            self._meter.charge(client, size)


class _Meter:
    """How much each client has left: up to ten seconds' worth, refilled all the time.

    One request may take more than there is, so that no request is too large for ever; what follows then waits.
    """

    def __init__(self, rate: float, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # and when that was

    def wait(self, client: str) -> float:
        """Return the seconds until the client may send, 0 if it may now."""
        return max(0.0, -self._level(client) / self._rate)

    def charge(self, client: str, amount: float) -> None:
        """Take an amount off what the client has left."""
        self._left[client] = (self._level(client) - amount, self._clock())
        self._left.move_to_end(client)
        if len(self._left) > _CLIENTS:
            self._left.popitem(last=False)

    def _level(self, client: str) -> float:
        level, then = self._left.get(client, (self._rate * _BURST_SECONDS, 0.0))
        return min(self._rate * _BURST_SECONDS, level + (self._clock() - then) * self._rate)
