"""Requests that come together are written together; one that comes alone waits for nobody."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue

import pytest
from journal_samples import payload

from otel_agent_eval.journal import Folder
from otel_agent_eval.journal.writer import Append, Appended, Result, Writer


def append(number: int) -> Append:
    return Append(payload(number), ("a",), 0.0)


class Gathering:
    """A writer that is started by `start`. `batches` are the requests of each write, `gathered` counts the pauses.

    What is `late` comes while the writer lets others gather.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.batches: SimpleQueue[list[int]] = SimpleQueue()
        self.gathered = 0
        self.late: list[Append] = []
        self._writer = Writer(
            Folder(folder), self._confirm, segment=1, sequence=1, segment_bytes=1 << 20, fsync="never"
        )
        monkeypatch.setattr("otel_agent_eval.journal.writer.time", self)
        self.monotonic = time.monotonic
        self.put = self._writer.put

    def sleep(self, _: float) -> None:
        self.gathered += 1
        while self.late:
            self.put(self.late.pop())

    def write(self, *numbers: int) -> list[int]:
        """Put one request, and those behind it while others gather; return what is written with it."""
        first, *self.late = map(append, numbers)
        self.put(first)
        return self.batches.get(timeout=20)

    @contextmanager
    def started(self) -> Iterator[None]:
        self._writer.start()
        try:
            yield
        finally:
            self._writer.stop()

    def _confirm(self, results: Sequence[Result]) -> None:
        self.batches.put([each.append.payload.items for each in results if isinstance(each, Appended)])


def test_who_sends_alone_does_not_wait_for_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gathering = Gathering(tmp_path, monkeypatch)
    with gathering.started():
        assert [gathering.write(number) for number in range(1, 21)] == [[number] for number in range(1, 21)]
        assert not gathering.gathered


def test_requests_gather_once_several_have_come_together_until_one_comes_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gathering = Gathering(tmp_path, monkeypatch)
    for number in (1, 2, 3):
        gathering.put(append(number))
    with gathering.started():
        assert gathering.batches.get(timeout=20) == [1, 2, 3]
        assert gathering.write(4, 5) == [4, 5]
        assert gathering.write(6, 7) == [6, 7]
        assert gathering.gathered == 2
        assert gathering.write(8) == [8]
        assert gathering.gathered == 3
        assert gathering.write(9) == [9]
        assert gathering.gathered == 3
