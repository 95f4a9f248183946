"""Warnings about what others do: they can do it a thousand times a second, the log is told once a minute."""

import logging
import time
from collections.abc import Callable


class Seldom:
    """Logs a warning at most every `every` seconds, with how often there was reason since the last one (`times`)."""

    def __init__(
        self,
        log: logging.Logger,
        message: str,
        *,
        every: float = 60.0,
        level: int = logging.WARNING,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._message = message
        self._every = every
        self._level = level
        self._clock = clock
        self._times = 0
        self._next = clock()

    def __call__(self, **fields: object) -> None:
        """Warn, or count. The fields are those of the time that is told; they must hold no secrets."""
        self._times += 1
        now = self._clock()
        if now >= self._next:
            self._log.log(self._level, self._message, extra={"times": self._times, **fields})
            self._times, self._next = 0, now + self._every
