"""Runs windows on a runtime: alike in length together, as many groups at once as there are cores, nothing twice."""

import logging
from array import array
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from threading import Lock

from otel_agent_eval.models.batching import pack, pad
from otel_agent_eval.models.runtime import FloatArray, Runtime
from otel_agent_eval.models.tokens import Window

_log = logging.getLogger(__name__)

RUN_TOKENS = 256
"""Padded tokens a run: what lies between two layers then stays in the processor's cache; larger runs are slower."""
_BY_WINDOW = 2
"""Dimensions of an output that says something of each window."""
_WINDOWS_TOLD = 10_000
"""Windows after which the log says how many of them were remembered."""
_MEMORY = 8 << 20
_ENTRY = 300
"""Bytes that an entry takes beside its values."""


class Recent:
    """What windows gave lately, by a digest of their tokens; what was not asked for longest goes first.

    Takes at most `size` bytes. Safe to use from several threads.
    """

    def __init__(self, size: int = _MEMORY) -> None:
        self._size = size
        self._rows: OrderedDict[bytes, FloatArray] = OrderedDict()
        self._used = 0
        self._lock = Lock()
        self._asked = self._found = 0

    def find(self, keys: Sequence[bytes]) -> dict[bytes, FloatArray]:
        """Return what is known, by key. Now and then the log says how much of what is asked for that is."""
        with self._lock:
            known = {key: row for key in keys if (row := self._rows.get(key)) is not None}
            for key in known:
                self._rows.move_to_end(key)
            self._asked += len(keys)
            self._found += len(known)
            if self._asked >= _WINDOWS_TOLD:
                _log.info("windows read", extra={"windows": self._asked, "remembered": self._found})
                self._asked = self._found = 0
        return known

    def keep(self, rows: Mapping[bytes, FloatArray]) -> None:
        """Remember rows that were not known."""
        with self._lock:
            for key, row in rows.items():
                if key not in self._rows:
                    self._rows[key] = row.copy()  # not a view, which would keep its whole batch
                    self._used += row.nbytes + _ENTRY
            while self._used > self._size:
                _, row = self._rows.popitem(last=False)
                self._used -= row.nbytes + _ENTRY


class Runner:
    """Gives the outputs of windows, each by the same arithmetic whatever runs beside it. Safe for several threads.

    Splitting the work between the cores by windows, not within a run, leaves none of them waiting for another. With
    `alone` each window is a run of its own, for models that would judge it by what stands beside it.
    """

    def __init__(self, runtime: Runtime, padding: int, threads: int, *, alone: bool = False) -> None:
        self._runtime = runtime
        self._padding = padding
        self._budget = 1 if alone else RUN_TOKENS
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="model")
        self._recent = Recent()

    def rows(self, output: str, windows: Sequence[Window]) -> list[FloatArray]:
        """Return one output of the model for each window: [values], or [tokens, values] of each of its tokens."""
        keys = [_key(output, window) for window in windows]
        distinct = dict(zip(keys, windows, strict=True))
        known = self._recent.find([*distinct])
        fresh = [key for key in distinct if key not in known]
        groups = [*pack([len(distinct[key].ids) for key in fresh], self._budget)]

        def run(group: list[int]) -> dict[bytes, FloatArray]:
            chosen = [fresh[i] for i in group]
            batch = pad([distinct[key] for key in chosen], self._padding)
            rows = self._runtime.run(batch, output)
            by_token = rows.ndim > _BY_WINDOW
            lengths = [len(distinct[key].ids) if by_token else None for key in chosen]
            return {key: row[:length] for key, row, length in zip(chosen, rows, lengths, strict=True)}

        found: dict[bytes, FloatArray] = {}
        for rows in self._pool.map(run, groups) if len(groups) > 1 else map(run, groups):
            found.update(rows)
        self._recent.keep(found)
        known.update(found)
        return [known[key] for key in keys]


def _key(output: str, window: Window) -> bytes:
    """Return a digest, so that no text is kept; with 16 bytes no two windows have the same."""
    digest = blake2b(output.encode(), digest_size=16)
    digest.update(b"\0")
    digest.update(array("I", window.ids).tobytes())
    digest.update(bytes(window.types))
    return digest.digest()
