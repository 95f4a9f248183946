"""Which parts of a long text are read beside another one: those that share most words with it."""

from collections.abc import Iterator, Sequence

import numpy as np

from otel_agent_eval.models.tokens import Ids, spans

_CLOSEST = 16
"""Parts of a text that another one is read beside at most: time grows with the texts, not with their product."""
_DIGITS = 9
"""Weights that differ by less are the same: the order in which they were added must not decide."""


class Parts:
    """The tokens of a text, to be searched for the parts that are closest to others.

    Closest is a part with most of the other's tokens, the rare ones before those that most parts have.
    """

    def __init__(self, ids: Ids) -> None:
        self.ids = ids
        tokens = np.array(ids, dtype=np.uint32)
        self._places = np.argsort(tokens, kind="stable")
        self._tokens = tokens[self._places]

    def closest(self, parts: Sequence[slice], wanted: Ids) -> list[int]:
        """Return the numbers of the closest parts, in order of place; all of them where they are few."""
        if len(parts) <= _CLOSEST:
            return [*range(len(parts))]
        begins, ends = (np.array([getattr(part, name) for part in parts]) for name in ("start", "stop"))
        tokens = np.unique(np.array(wanted, dtype=np.uint32))
        bounds = np.searchsorted(self._tokens, tokens), np.searchsorted(self._tokens, tokens, "right")
        scores = np.zeros(len(parts))
        for low, high in zip(*bounds, strict=True):
            places = self._places[low:high]
            having = np.searchsorted(places, ends) > np.searchsorted(places, begins)
            scores += having * np.log(len(parts) / max(int(having.sum()), 1))
        return sorted(np.argsort(-np.round(scores, _DIGITS), kind="stable")[:_CLOSEST].tolist())


def beside(first: Parts, second: Ids, room: int) -> Iterator[tuple[Ids, list[Ids]]]:
    """Yield each part of the second text with the parts of the first that are read beside it.

    Two texts that have room together are one part each; where both are long each gets half the room.
    """
    for_second = min(len(second), max(room - len(first.ids), room // 2))
    parts = spans(len(first.ids), room - for_second)
    for own in spans(len(second), for_second):
        wanted = second[own]
        yield wanted, [first.ids[parts[number]] for number in first.closest(parts, wanted)]
