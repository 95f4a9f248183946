"""`otel-agent-eval queue`: what waits in the queue on disk, what was parked, and sending that again."""

import sys
import time
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from otel_agent_eval.commands.configuration import loaded
from otel_agent_eval.commands.terminal import visible
from otel_agent_eval.config import Config
from otel_agent_eval.config.values import format_size
from otel_agent_eval.delivery.dead_letters import DeadLetters
from otel_agent_eval.journal import Folder, QueueError
from otel_agent_eval.journal.segments import Recovered, recover
from otel_agent_eval.service.build import AGENT_EVAL, queue_folder

_MIB = 1 << 20


def status(path: Path | None) -> None:
    """Print what waits, for whom and since when; exit with 1 where there is no queue or a part cannot be read."""
    config = loaded(path).config
    folder = _folder(config)
    found = recover(folder)
    owner = folder.owner()
    used = sum(segment.size for segment in found.segments)
    state = f"in use by process {owner}" if owner else "no gateway uses it"
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"{folder.path}: {used / _MIB:.1f} MiB of {format_size(config.service.queue.bytes)}, {state}")
    table = Table(box=None, pad_edge=False)
    for title in ("for", "requests", "MiB", "oldest", "dead letters"):
        table.add_column(title, justify="left" if title == "for" else "right")
    letters = DeadLetters(folder)
    for name in _names(config, folder, found):
        waiting = found.undone().get(name)
        table.add_row(
            visible(name),
            str(waiting.requests if waiting else 0),
            f"{waiting.bytes / _MIB:.1f}" if waiting else "0.0",
            _age(found.oldest[name]) if name in found.oldest else "",
            str(letters.count(name)) if name != AGENT_EVAL else "",
        )
    console.print(table)
    unreadable = [part for part in found.unreadable if not part.unfinished]
    for part in unreadable:
        console.print(f"cannot be read: {part.bytes} bytes of {part.file} at {part.offset}")
    if unreadable:
        sys.exit(1)


def dead(destination: str | None, path: Path | None) -> None:
    """Print the parked requests of one destination or of all; exit with 1 where there is no such destination."""
    folder = _folder(loaded(path).config)
    letters = DeadLetters(folder)
    parked = list(folder.destinations("dead"))
    if destination is not None and destination not in parked:
        sys.exit(f"otel-agent-eval: nothing was ever parked for {destination}{_instead(parked)}")
    table = Table(box=None, pad_edge=False)
    for title in ("for", "when", "signal", "items", "bytes", "reason"):
        table.add_column(title, justify="right" if title in {"items", "bytes"} else "left", no_wrap=title == "when")
    for name in parked if destination is None else [destination]:
        for letter in letters.letters(name):
            record = letter.record
            when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.time))
            table.add_row(
                visible(name),
                when,
                record.payload.signal.value,
                str(record.payload.items),
                str(len(record.payload.body)),
                visible(record.reason),
            )
    Console(soft_wrap=True).print(table if table.row_count else "nothing is parked")


def resend(destination: str, to: str | None, path: Path | None) -> None:
    """Have everything that is parked for a destination sent again; exit with 1 where that is not possible."""
    config = loaded(path).config
    folder = _folder(config)
    target = to or destination
    if target not in config.exporters:
        sys.exit(f"otel-agent-eval: the configuration has no exporter {target}{_instead(config.exporters)}")
    try:
        count = DeadLetters(folder).resend(destination, target)
    except OSError as error:
        sys.exit(f"otel-agent-eval: cannot move the dead letters: {error.strerror}")
    if not count:
        sys.exit(f"otel-agent-eval: nothing is parked for {destination}{_instead(folder.destinations('dead'))}")
    when = "now" if folder.owner() else "when the gateway is started"
    sys.stdout.write(f"{count} requests are sent to {target} {when}\n")


def _folder(config: Config) -> Folder:
    """Return the queue's folder; exit with 1 where there is none."""
    if config.service.queue.storage == "memory":
        sys.exit("otel-agent-eval: this queue is in memory (service.queue.storage): /metrics says what waits in it")
    try:
        return Folder.existing(queue_folder(config).path)
    except QueueError as error:
        sys.exit(f"otel-agent-eval: {error}")


def _names(config: Config, folder: Folder, found: Recovered) -> list[str]:
    """Return everybody for whom there is something, or could be: destinations, then scoring."""
    others = {*config.exporters, *found.undone(), *folder.destinations("dead")} - {AGENT_EVAL}
    return [*sorted(others), AGENT_EVAL]


def _age(since: float) -> str:
    seconds = max(0, int(time.time() - since))
    days, rest = divmod(seconds, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, seconds = divmod(rest, 60)
    parts = [f"{number}{unit}" for number, unit in ((days, "d"), (hours, "h"), (minutes, "m")) if number]
    return " ".join([*parts, f"{seconds}s"][:2])


def _instead(names: Iterable[str]) -> str:
    known = ", ".join(sorted(names))
    return f"; there are {known}" if known else ""
