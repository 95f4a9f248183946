"""A row of `faults.py`: what became of the telemetry that was sent while something was broken."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from fault_bench import Bench


class CannotRunError(Exception):
    """A row cannot be made here; the message says why."""


@dataclass(frozen=True, slots=True)
class Row:
    """What became of the spans that were sent. `note` says what else is worth knowing."""

    fault: str
    seconds: float
    sent: int
    acknowledged: int
    delivered: int
    duplicated: int
    lost: int
    note: str = ""

    def cells(self) -> Mapping[str, object]:
        """Return the row as it is printed."""
        return {name: getattr(self, name) for name in self.__slots__}


def row_of(name: str, bench: Bench, seconds: float, note: str = "", but_for: frozenset[bytes] = frozenset()) -> Row:
    """Wait until all is calm, and count; `but_for` are spans that may be missing, for they were reported."""
    bench.calm(set(but_for))
    lost = bench.lost()
    return Row(
        fault=name,
        seconds=seconds,
        sent=bench.sent,
        acknowledged=len(bench.acknowledged),
        delivered=len(bench.acknowledged - lost),
        duplicated=bench.duplicated(),
        lost=len(lost - but_for),
        note=note,
    )


Make = Callable[[str, Path, float, Path | None], Row]
"""Makes a row of its name, an empty folder, for how long to send (seconds), and a small file system or None."""
