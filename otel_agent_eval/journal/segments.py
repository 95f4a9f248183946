"""What is known in memory of a segment: a file of records, of which some still wait for somebody."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from otel_agent_eval.journal import notes
from otel_agent_eval.journal.folder import Folder
from otel_agent_eval.journal.record import Damage, Record, Stored, read
from otel_agent_eval.signals import Signal


@dataclass(frozen=True, slots=True)
class Mark:
    """A record's place in the journal and what it counts for, without its content."""

    segment: int
    sequence: int
    signal: Signal
    items: int
    bytes: int


@dataclass(slots=True)
class Tally:
    """Requests, their bytes, and by signal how many they are and how many spans, log records or data points."""

    requests: int = 0
    bytes: int = 0
    by_signal: dict[Signal, int] = field(default_factory=lambda: dict.fromkeys(Signal, 0))
    items: dict[Signal, int] = field(default_factory=lambda: dict.fromkeys(Signal, 0))

    def add(self, mark: Mark, times: int = 1) -> None:
        """Count a record; -1 takes it away again."""
        self.requests += times
        self.bytes += times * mark.bytes
        self.by_signal[mark.signal] += times
        self.items[mark.signal] += times * mark.items

    def merge(self, other: "Tally", times: int = 1) -> None:
        """Count all that another counts; -1 takes it away again."""
        self.requests += times * other.requests
        self.bytes += times * other.bytes
        for signal in Signal:
            self.by_signal[signal] += times * other.by_signal[signal]
            self.items[signal] += times * other.items[signal]


@dataclass(slots=True, eq=False)
class Segment:
    """One file. `waiting` counts by reader what is not done; `done` holds what was at the start, by sequence number.

    `began` and `newest` are when the first and the last record were kept, in seconds of the journal's clock; nothing is
    added once it is `closed`.
    `recall_until` is until when records are kept beyond their use, for what they say about others; `damaged` are the
    offsets of what is known to be no record.
    """

    number: int
    size: int = 0
    began: float = 0.0
    newest: float = 0.0
    closed: bool = False
    recall_until: float = 0.0
    waiting: dict[str, Tally] = field(default_factory=dict)
    noted: Mapping[str, notes.Noted] = field(default_factory=dict)
    damaged: set[int] = field(default_factory=set)

    def add(self, mark: Mark, readers: Iterable[str]) -> None:
        """Count a record for those that are to read it."""
        for name in readers:
            if name not in self.waiting:
                self.waiting[name] = Tally()
            self.waiting[name].add(mark)

    def settle(self, mark: Mark, name: str) -> None:
        """Count a record as done for one of its readers."""
        tally = self.waiting[name]
        tally.add(mark, -1)
        if not tally.requests:
            del self.waiting[name]

    def is_done(self, name: str, sequence: int) -> bool:
        """Whether a record was done for a reader when the journal was opened."""
        return name in self.noted and sequence in self.noted[name].done

    def left(self, name: str, sequence: int) -> frozenset[int] | None:
        """Which items of a record were left for a reader when the journal was opened, None for all that there are."""
        return self.noted[name].left.get(sequence) if name in self.noted else None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Part of a file that holds no record that can be read."""

    file: str
    offset: int
    bytes: int
    unfinished: bool


@dataclass(slots=True)
class Recovered:
    """What an earlier process has left. `undone` counts by reader over all segments.

    `gone` are the files that somebody else has deleted; what was in them nobody can say.
    """

    segments: list[Segment] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    next_sequence: int = 1
    oldest: dict[str, float] = field(default_factory=dict)

    def undone(self) -> dict[str, Tally]:
        """Return what waits for each reader."""
        total: dict[str, Tally] = {}
        for segment in self.segments:
            for name, tally in segment.waiting.items():
                total.setdefault(name, Tally()).merge(tally)
        return total


def recover(folder: Folder) -> Recovered:
    """Read all segments of a folder, changing nothing. What cannot be read is left out and told.

    Times are Unix seconds. Raises `OSError` only where the folder itself cannot be read.
    """
    found = Recovered(gone=[folder.segment(number).name for number in folder.gone()])
    numbers = folder.segments()
    for number in numbers:
        segment = Segment(number, closed=True, noted=notes.read(folder.done(number)))
        try:
            _read_segment(folder, segment, found, is_last=number == numbers[-1])
        except FileNotFoundError:  # delivered meanwhile
            continue
        except OSError:
            found.unreadable.append(Unreadable(folder.segment(number).name, 0, segment.size, unfinished=False))
        found.segments.append(segment)
    return found


def _read_segment(folder: Folder, segment: Segment, found: Recovered, *, is_last: bool) -> None:
    path = folder.segment(segment.number)
    segment.size = path.stat().st_size
    with path.open("rb") as file:
        for part in read(file, 0, segment.size):
            match part:
                case Stored(record=record):
                    _count(segment, record, found)
                case Damage():
                    torn = part.tail and is_last
                    segment.damaged.add(part.start)
                    found.unreadable.append(Unreadable(path.name, part.start, part.end - part.start, torn))


def _count(segment: Segment, record: Record, found: Recovered) -> None:
    segment.newest = max(segment.newest, record.time)
    found.next_sequence = max(found.next_sequence, record.sequence + 1)
    waiting = [name for name in record.readers if not segment.is_done(name, record.sequence)]
    segment.add(mark_of(record, segment.number), waiting)
    for name in waiting:
        found.oldest[name] = min(found.oldest.get(name, record.time), record.time)


def mark_of(record: Record, segment: int) -> Mark:
    """Return the mark of a record that was read."""
    payload = record.payload
    return Mark(segment, record.sequence, payload.signal, payload.items, len(payload.body))
