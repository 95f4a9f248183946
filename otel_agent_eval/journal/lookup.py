"""Finds what is kept on disk by bytes that it holds, such as a trace id: for people who look for one span."""

from collections.abc import Iterator
from dataclasses import dataclass

from otel_agent_eval.journal import notes
from otel_agent_eval.journal.folder import Folder
from otel_agent_eval.journal.record import Stored, read
from otel_agent_eval.signals import Signal


@dataclass(frozen=True, slots=True)
class Located:
    """A request that is kept: its position in the queue, since when (Unix seconds), and who has it already."""

    position: int
    time: float
    signal: Signal
    waiting: tuple[str, ...]
    done: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Search:
    """What was found, and whether everything was looked at."""

    found: tuple[Located, ...]
    whole: bool


def search(folder: Folder, wanted: bytes, most_bytes: int, most: int = 100) -> Search:
    """Look through the newest `most_bytes` of a queue, the newest file first. Touches the disk: call it in a thread."""
    found: list[Located] = []
    for number in reversed(folder.segments()):
        path = folder.segment(number)
        try:
            size = path.stat().st_size
            if size > most_bytes or len(found) >= most:
                return Search(tuple(found), whole=False)
            most_bytes -= size
            found += _in_segment(folder, number, size, wanted)
        except OSError:  # delivered meanwhile
            continue
    return Search(tuple(found[:most]), whole=len(found) <= most)


def _in_segment(folder: Folder, number: int, size: int, wanted: bytes) -> Iterator[Located]:
    noted = notes.read(folder.done(number))
    with folder.segment(number).open("rb") as file:
        for part in read(file, 0, size):
            if isinstance(part, Stored) and wanted in part.record.payload.body:
                record = part.record
                done = [name for name in record.readers if name in noted and record.sequence in noted[name].done]
                waiting = tuple(name for name in record.readers if name not in done)
                yield Located(record.sequence, record.time, record.payload.signal, waiting, tuple(done))
