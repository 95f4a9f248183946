"""Says once per destination and signal that a destination takes only part of what it is sent."""

import logging

from otel_agent_eval.signals import Signal

_log = logging.getLogger(__name__)


class RejectionLog:
    """Remembers for which signals it has warned; every rejected item is counted by the caller."""

    def __init__(self, destination: str) -> None:
        self._destination = destination
        self._warned: set[Signal] = set()

    def note(self, signal: Signal, rejected: int, has_message: bool) -> int:
        """Warn of the first partial success of a signal and return how many items it rejected."""
        if (rejected or has_message) and signal not in self._warned:
            self._warned.add(signal)
            _log.warning(
                "the destination accepted a request only in part" if rejected else "the destination answered a warning",
                extra={"destination": self._destination, "signal": signal.value, "rejected": rejected},
            )
        return rejected
