"""What evaluators cost, as measured while they judge."""

from collections import deque
from statistics import median

_REMEMBERED = 9
_LEAST = 3
"""Of fewer batches the middle one says nothing: any of them may have been a stall."""


class Costs:
    """Estimates how long an evaluator takes for a text, from how long it took for others.

    Times grow with the length of texts, so what is remembered is seconds for each character, and the middle one of the
    last few batches counts: a stall of the machine, or one text that takes for ever, must not make all others look too
    much. Of an evaluator that has not been measured a few times nothing is assumed: it costs nothing.
    """

    def __init__(self) -> None:
        self._measured: dict[str, deque[float]] = {}
        self._rates: dict[str, float] = {}

    def learn(self, name: str, length: int, seconds: float) -> None:
        """Take down that an evaluator took so long for texts of so many characters, which must be more than none."""
        measured = self._measured.setdefault(name, deque(maxlen=_REMEMBERED))
        measured.append(seconds / length)
        if len(measured) >= _LEAST:
            self._rates[name] = median(measured)

    def seconds(self, name: str, length: int) -> float:
        """Estimate the seconds of a worker's time for texts of so many characters."""
        return self._rates.get(name, 0.0) * length
