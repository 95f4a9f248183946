"""What is noted beside a segment: which of its records are done, and which in parts; a JSON object a line.

`{"for": "agent_eval", "done": [17, 18], "left": {"19": [3, 9]}}`: for `agent_eval` two records are done, and of another
only the items at these two positions are left. Later lines count more than earlier ones.
"""

import json
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class Notes:
    """The records of a segment, by sequence number, that are done for a reader, and what is left of others."""

    done: list[int] = field(default_factory=list)
    left: dict[int, Sequence[int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Noted:
    """The notes on a segment for a reader, read back."""

    done: frozenset[int] = frozenset()
    left: Mapping[int, frozenset[int]] = field(default_factory=dict)


def write(file: Path, name: str, notes: Notes) -> bool:
    """Append a reader's notes as a line; False where not all of it was written. Raises `OSError`."""
    finished = set(notes.done)
    left = {sequence: positions for sequence, positions in notes.left.items() if sequence not in finished}
    line = {"for": name, "done": notes.done} | ({"left": left} if left else {})
    content = b"\n" + json.dumps(line, separators=(",", ":")).encode() + b"\n"  # the one before may not be finished
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        return os.write(descriptor, content) == len(content)
    finally:
        os.close(descriptor)


def read(file: Path) -> dict[str, Noted]:
    """Read the notes on a segment by reader; a line that was not finished is left out: what it says is sent again."""
    done: dict[str, set[int]] = defaultdict(set)
    left: dict[str, dict[int, frozenset[int]]] = defaultdict(dict)
    try:
        lines = file.read_bytes().splitlines()
    except OSError:
        return {}
    for line in lines:
        try:
            entry = json.loads(line)
            name, own = entry["for"], {int(key): frozenset(parts) for key, parts in entry.get("left", {}).items()}
            done[name].update(entry["done"])
            left[name].update(own)
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    return {name: Noted(frozenset(own), left[name]) for name, own in done.items()}
