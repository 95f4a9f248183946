"""What goes wrong with a destination: remembered for its state, and said in the log, seldom enough to be read."""

import logging
import time
from collections.abc import Callable

from otel_agent_eval.delivery.stats import Fate, LastError
from otel_agent_eval.seldom import Seldom
from otel_agent_eval.signals import Payload, Signal

_ASK_AGAIN_AFTER = 300.0  # seconds; a signal that was not taken once may be after the destination's next upgrade
_WARN_EVERY = 60.0  # seconds, of the same trouble

_log = logging.getLogger(__name__)


class _Summed:
    """An error about items: told at once, then once a minute for all since."""

    def __init__(self, message: str, clock: Callable[[], float]) -> None:
        self._message = message
        self._clock = clock
        self._items = 0
        self._next = 0.0

    def __call__(self, payload: Payload, **fields: str) -> None:
        self._items += payload.items
        if (now := self._clock()) >= self._next:
            _log.error(self._message, extra={**fields, "signal": payload.signal.value, "items": self._items})
            self._items, self._next = 0, now + _WARN_EVERY


class Troubles:
    """The last error of a destination, the signals that it does not take, and what was given up."""

    def __init__(self, destination: str, clock: Callable[[], float]) -> None:
        self.last_error: LastError | None = None
        self._destination = destination
        self._clock = clock
        self._off_until: dict[Signal, float] = {}
        self._warned_at = 0.0
        self._given_up = _Summed("requests were given up", clock)
        self._parked = _Summed(
            "the destination will never take these requests as they are; they lie under dead/ in the queue's folder: "
            "see `otel-agent-eval queue dead`",
            clock,
        )
        self._not_parked = Seldom(
            _log, "a dead letter cannot be written; it is tried again", level=logging.ERROR, clock=clock
        )

    @property
    def unsupported(self) -> frozenset[Signal]:
        """The signals that are not sent, for the destination does not take them."""
        return frozenset(signal for signal in self._off_until if self.is_off(signal))

    def failed(self, kind: str) -> None:
        """Note that the destination did not take a request."""
        now = self._clock()
        if self.last_error is None or self.last_error.kind != kind or now - self._warned_at > _WARN_EVERY:
            self._warned_at = now
            _log.warning(
                "the destination did not take a request", extra={"destination": self._destination, "error": kind}
            )
        self.last_error = LastError(kind, time.time())

    def gave_up(self, payload: Payload, fate: Fate) -> None:
        """Say what will never arrive: at once, then once a minute for all that were given up since."""
        self._given_up(payload, reason=fate.value, **self._told())

    def parked(self, payload: Payload) -> None:
        """Say what was put aside, as seldom."""
        self._parked(payload, **self._told())

    def _told(self) -> dict[str, str]:
        return {"destination": self._destination, "error": self.last_error.kind if self.last_error else ""}

    def not_parked(self, error: OSError) -> None:
        """Say that a request that will never be taken cannot be put aside either."""
        self._not_parked(destination=self._destination, error=error.strerror)

    def is_off(self, signal: Signal) -> bool:
        """Whether a signal is not sent for the time being."""
        return self._off_until.get(signal, 0.0) > self._clock()

    def switch_off(self, signal: Signal, kind: str) -> None:
        """Send no more of a signal for some minutes."""
        if signal not in self._off_until:
            _log.warning(
                "the destination does not take this signal; it gets no more of it",
                extra={"destination": self._destination, "signal": signal.value, "error": kind},
            )
        self._off_until[signal] = self._clock() + _ASK_AGAIN_AFTER
        self.last_error = LastError(kind, time.time())
