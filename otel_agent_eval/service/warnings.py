"""What the operator is told of scores that do not come: seldom, and never once for each span."""

import logging
from collections.abc import Callable, Mapping, Sequence

from otel_agent_eval.evaluation.evaluation import Evaluation, Reason, Skipped

_log = logging.getLogger(__name__)

_TOLD = 1_000
"""Services that are warned of: their names are the senders'."""
_WARN_EVERY = 60.0
"""Seconds from one warning of too much to score to the next."""
_TOO_MUCH = frozenset({Reason.DEADLINE, Reason.OVERLOADED})

Clock = Callable[[], float]


class Warnings:
    """Remembers what was said already."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._told: set[tuple[str, str]] = set()
        self._next_warning = 0.0

    def of_load(self, choices: Sequence[Mapping[str, Evaluation]], being_scored: int) -> None:
        """Say once a minute that scores do not come in time, and which."""
        late = {name for choice in choices for name, ending in choice.items() if _is_late(ending)}
        if late and self._clock() >= self._next_warning:
            self._next_warning = self._clock() + _WARN_EVERY
            _log.warning(
                "answers come faster than they can be scored: spans leave without scores",
                extra={"left_out": sorted(late), "being_scored": being_scored},
            )

    def of_silence(self, service: str, switch: str) -> None:
        """Say once per service how its instrumentation is told to record content; nothing where no switch is known."""
        told = (service, switch)
        if switch and told not in self._told and len(self._told) < _TOLD:
            self._told.add(told)
            _log.warning(
                "answers cannot be scored: the instrumentation captures no content",
                extra={"service": service, "to_capture": switch},
            )


def _is_late(ending: Evaluation) -> bool:
    return isinstance(ending, Skipped) and ending.reason in _TOO_MUCH
