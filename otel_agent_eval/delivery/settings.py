"""How a destination is sent to, and how failed requests are tried again."""

import random
from dataclasses import dataclass

_LONGEST_ASKED_WAIT = 300.0  # a destination that asks for more, by mistake or malice, is asked again all the same


@dataclass(frozen=True, slots=True, kw_only=True)
class SendSettings:
    """How many requests are sent at a time.

    Small requests that wait at the same time travel as one of at most `merged_bytes`; 0 sends each alone.
    """

    workers: int = 4
    merged_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrySettings:
    """Exponential backoff, in seconds.

    Each wait is a random share between `1 - jitter` and `1 + jitter` of the interval. A request is given up after
    `max_elapsed_time`; 0 means never. `enabled=False` gives it up after the first try.
    """

    enabled: bool = True
    initial_interval: float = 1.0
    multiplier: float = 1.5
    max_interval: float = 30.0
    max_elapsed_time: float = 0.0
    jitter: float = 0.5

    def wait(self, attempt: int, asked: float | None, rng: random.Random) -> float:
        """Return the wait before retry `attempt` (from 0), never less than the destination `asked` for."""
        growth: float = self.multiplier ** min(attempt, 100)
        interval = min(self.max_interval, self.initial_interval * growth)
        jittered = interval * rng.uniform(1 - self.jitter, 1 + self.jitter)
        return max(jittered, min(asked or 0.0, _LONGEST_ASKED_WAIT))
