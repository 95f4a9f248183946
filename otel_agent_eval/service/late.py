"""Requests that are kept though their answers were given up: scores of them may come late, or after a restart."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence

from otel_agent_eval.evaluation.evaluation import Evaluation, Reason, Skipped
from otel_agent_eval.journal import Receipt

_SECONDS = 60.0
"""For how long a request is kept for late scores: its file stays as long for what it says about others."""
_MOST = 20_000
_UNTIMELY = frozenset({Reason.DEADLINE, Reason.OVERLOADED})

Missing = set[tuple[int, str]]
"""The evaluations that may still come, by choice and evaluator."""


def missing(choices: Sequence[Mapping[str, Evaluation]]) -> Missing:
    """Return what may come late of an answer of which nothing came in time.

    Nothing where something did: what has left would leave again after a restart.
    """
    every = {(choice, name): said for choice, named in enumerate(choices) for name, said in named.items()}
    skipped = {key: said.reason for key, said in every.items() if isinstance(said, Skipped)}
    if len(skipped) < len(every) or Reason.DEADLINE not in skipped.values():
        return set()
    return {key for key, reason in skipped.items() if reason in _UNTIMELY}


class LateScores:
    """Holds receipts until the scores have come, for `_SECONDS` at most, or until others need the room."""

    def __init__(self) -> None:
        self._expected: OrderedDict[Receipt, tuple[Missing, asyncio.TimerHandle]] = OrderedDict()

    def expect(self, receipt: Receipt, missing: Missing) -> None:
        """Hold the receipt of an answer; without anything `missing` until a restart, or its time is up."""
        if receipt in self._expected:
            return
        receipt.hold()
        timer = asyncio.get_running_loop().call_later(_SECONDS, self._let_go, receipt)
        self._expected[receipt] = missing, timer
        if len(self._expected) > _MOST:
            self._let_go(next(iter(self._expected)))

    def came(self, receipt: Receipt, choice: int, name: str) -> None:
        """Note that an evaluation has come, and is on its way."""
        missing, _ = self._expected.get(receipt, (set[tuple[int, str]](), None))
        missing.discard((choice, name))
        if not missing:
            self._let_go(receipt)

    def give_up(self) -> None:
        """Let go of all: others need the room."""
        for receipt in list(self._expected):
            self._let_go(receipt)

    def _let_go(self, receipt: Receipt) -> None:
        if receipt in self._expected:
            _, timer = self._expected.pop(receipt)
            timer.cancel()
            receipt.release()
