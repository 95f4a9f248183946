"""Reading texts of any length: in pieces, as overlapping windows, by a model that runs a bounded step at a time.

What takes long is a generator that yields after each step, so that its caller can do something else in between. Memory
is bounded by what the windows give, not by the windows.
"""

from array import array
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from functools import partial
from typing import Protocol, TypeVar

import numpy as np

from otel_agent_eval.models.model import Model
from otel_agent_eval.models.runtime import FloatArray
from otel_agent_eval.models.tokens import Window

_PIECE = 4_000
"""Characters; a multiple of the 100 letters at which the tokenizer cuts long words, so that cuts fall together."""
_LONGEST_WORD = 200
_STEP = 1_024
"""Tokens that a model reads in one step: some tens of milliseconds on two cores."""
_AT_ONCE = 64
"""Windows that are made in one step, whether or not a model reads them."""

_T = TypeVar("_T")
_Row = TypeVar("_Row")
_Result = TypeVar("_Result")

Steps = Generator[None, None, _Result]
"""Work that yields after each bounded step, and returns its result."""


class Encoder(Protocol):
    """The part of a tokenizer that reading needs."""

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of each text, whole and without special tokens."""
        ...


def finish(steps: Steps[_Result]) -> _Result:
    """Do all steps at once."""
    try:
        while True:
            next(steps)
    except StopIteration as end:
        result: _Result = end.value
        return result


def in_turn(items: Iterable[_T], judge: Callable[[_T], Steps[_Result]]) -> Steps[list[_Result]]:
    """Do something with one item after the other, in steps."""
    found: list[_Result] = []
    for item in items:
        found.append((yield from judge(item)))  # noqa: PERF401 (a comprehension cannot yield)
    return found


def pieces(text: str, size: int = _PIECE) -> Iterator[str]:
    """Yield a text in pieces of at most so many characters, cut at white space or else at a mark if there is one."""
    start = 0
    while len(text) - start > size:
        end = start + size
        space = max(text.rfind(" ", start + 1, end), text.rfind("\n", start + 1, end))
        mark = next((place for place in range(end, end - _LONGEST_WORD, -1) if not text[place - 1].isalnum()), end)
        end = space if space > 0 else mark
        yield text[start:end]
        start = end
    yield text[start:]


def words(text: str) -> Iterator[str]:
    """Yield the words of a text; of a run of characters without white space, parts."""
    for piece in pieces(text):
        for word in piece.split():
            yield from (word[start : start + _LONGEST_WORD] for start in range(0, len(word), _LONGEST_WORD))


def token_ids(text: str, tokenizer: Encoder, prepare: Callable[[str], str] = str) -> Iterator[int]:
    """Yield the token ids of a text, without special tokens; each piece of it is prepared first."""
    for ids in _encoded_pieces(text, tokenizer, prepare):
        yield from ids


def encoded(text: str, tokenizer: Encoder) -> Steps["array[int]"]:
    """Return all token ids of a text, without special tokens."""
    found = array("I")
    for ids in _encoded_pieces(text, tokenizer):
        found.extend(ids)
        yield
    return found


def _encoded_pieces(text: str, tokenizer: Encoder, prepare: Callable[[str], str] = str) -> Iterator[list[int]]:
    before, ids = None, list[int]()
    for piece in pieces(text):
        if piece != before:  # a long run of one letter takes long to encode
            before, (ids,) = piece, tokenizer.encode([prepare(piece)])
        yield ids


def sliding(items: Iterable[_T], size: int, stride: int) -> Iterator[list[_T]]:
    """Yield windows of `size` items, each `stride` after the one before; the last one ends with the items.

    What is not longer than `size` is one window, also if it is empty. The same windows as `spans` gives, for items that
    need not be held in memory.
    """
    window: list[_T] = []
    beyond: list[_T] = []  # what follows the window, less than a stride
    for item in items:
        if len(window) < size:
            window.append(item)
            continue
        if not beyond:
            yield window
        beyond.append(item)
        if len(beyond) == stride:
            window, beyond = window[stride:] + beyond, []
    yield window[len(beyond) :] + beyond


def run_in_steps(model: Model, output: str, windows: Iterable[Window | None]) -> Steps[FloatArray]:
    """Return one output of a model for each window, as an array of shape [windows, values]; see `read_in_steps`."""
    rows = yield from read_in_steps(partial(model.run, output), windows)
    return np.array(rows) if rows else np.zeros((0, 1), dtype=np.float32)


def read_in_steps(
    read: Callable[[Sequence[Window]], Iterable[_Row]], windows: Iterable[Window | None], step: int = _STEP
) -> Steps[list[_Row]]:
    """Return what a model says of each window, about so many tokens a step.

    Windows are taken as they are needed; those with the same tokens are run once. Where making windows takes time, None
    stands for work that gave no window.
    """
    known: dict[bytes, int] = {}
    order = array("I")  # for each window the row that holds what was said of it
    rows: list[_Row] = []
    waiting: list[Window] = []
    tokens = 0
    for count, window in enumerate(windows, 1):
        if window is not None:
            key = array("I", window.ids).tobytes() + bytes(window.types)
            if key not in known:
                known[key] = len(known)
                waiting.append(window)
                tokens += len(window.ids)
            order.append(known[key])
        if tokens >= step or count % _AT_ONCE == 0:
            rows.extend(read(waiting) if waiting else ())
            waiting, tokens = [], 0
            yield
    rows.extend(read(waiting) if waiting else ())
    return [rows[place] for place in order]
