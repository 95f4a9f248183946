"""`otel-agent-eval queue`: what waits in the queue on disk, what was parked, and sending that again."""

import sys
import time
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from rich.console import Console
from rich.table import Table

from otel_agent_eval.commands.configuration import loaded
from otel_agent_eval.commands.terminal import visible
from otel_agent_eval.config import Config
from otel_agent_eval.config.values import format_size
from otel_agent_eval.delivery.dead_letters import DeadLetters, LetterLimits, TooManyLettersError
from otel_agent_eval.journal import Folder, QueueError
from otel_agent_eval.journal.segments import Recovered, recover
from otel_agent_eval.service.build import AGENT_EVAL, destination_signals, queue_folder

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
    for title in ("for", "requests", "MiB", "oldest", "dead letters", "to be sent again"):
        table.add_column(title, justify="left" if title == "for" else "right")
    damaged: list[str] = []
    letters = _letters(config, folder, damaged)
    for name in _names(config, letters, found):
        waiting = found.undone().get(name)
        table.add_row(
            visible(name),
            str(waiting.requests if waiting else 0),
            f"{waiting.bytes / _MIB:.1f}" if waiting else "0.0",
            _age(found.oldest[name]) if name in found.oldest else "",
            str(letters.count(name)) if name != AGENT_EVAL else "",
            str(letters.count_returning(name) or "") if name != AGENT_EVAL else "",
        )
    console.print(table)
    unreadable = [part for part in found.unreadable if not part.unfinished]
    for part in unreadable:
        console.print(f"cannot be read: {part.bytes} bytes of {part.file} at {part.offset}")
    for file in found.gone:
        console.print(f"gone: {file}, with what waited in it")
    _tell(damaged)
    if unreadable or found.gone or damaged:
        sys.exit(1)


def dead(destination: str | None, path: Path | None) -> None:
    """Print the parked requests of one destination or of all, those that are to be sent to it again included.

    Exit with 1 where there is no such destination or a letter cannot be read.
    """
    config = loaded(path).config
    damaged: list[str] = []
    letters = _letters(config, _folder(config), damaged)
    parked = letters.destinations()
    if destination is not None and destination not in parked:
        sys.exit(f"otel-agent-eval: nothing was ever parked for {destination}{_instead(parked)}")
    table = Table(box=None, pad_edge=False)
    for title in ("for", "when", "signal", "items", "bytes", "reason"):
        table.add_column(title, justify="right" if title in {"items", "bytes"} else "left", no_wrap=title == "when")
    for name in parked if destination is None else [destination]:
        waiting = ((letter.record, "; to be sent again") for letter in letters.returning(name))
        for record, state in chain(((letter.record, "") for letter in letters.letters(name)), waiting):
            when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.time))
            table.add_row(
                visible(name),
                when,
                record.payload.signal.value,
                str(record.payload.items),
                str(len(record.payload.body)),
                visible(record.reason) + state,
            )
    if table.row_count or not damaged:
        Console(soft_wrap=True).print(table if table.row_count else "nothing is parked")
    _tell(damaged)
    if damaged:
        sys.exit(1)


def resend(destination: str, to: str | None, path: Path | None) -> None:
    """Have everything that is parked for a destination sent again; exit with 1 where that is not possible.

    What cannot be read stays where it is.
    """
    config = loaded(path).config
    folder = _folder(config)
    target = to or destination
    there = destination_signals(config)
    if target not in there:
        lacks = "no pipeline names" if target in config.exporters else "the configuration has no exporter"
        hint = _instead(there) + ("" if to else "; --to sends them elsewhere")
        sys.exit(f"otel-agent-eval: {lacks} {target}{hint}")
    damaged: list[str] = []
    letters = _letters(config, folder, damaged)
    try:
        count = letters.resend(destination, target)
    except TooManyLettersError:
        most = format_size(config.service.queue.dead_letters.size)
        sys.exit(
            f"otel-agent-eval: with these more than {most} (service.queue.dead_letters.size) were to be sent to "
            f"{target} again; ask again when the gateway has taken what is there already"
        )
    except OSError as error:
        sys.exit(f"otel-agent-eval: cannot move the dead letters: {error.strerror}")
    _tell(damaged)
    if not count and not damaged:
        parked = [name for name in letters.destinations() if letters.count(name)]
        sys.exit(f"otel-agent-eval: nothing is parked for {destination}{_instead(parked)}")
    if not count:
        sys.exit(1)
    owner = folder.owner()
    when = f"from now on, if process {owner} runs with this configuration" if owner else "when a gateway is started"
    sys.stdout.write(f"{count} requests are sent to {target} again {when}\n")
    if damaged:
        sys.exit(1)


def _folder(config: Config) -> Folder:
    """Return the queue's folder; exit with 1 where there is none."""
    if config.service.queue.storage == "memory":
        sys.exit("otel-agent-eval: this queue is in memory (service.queue.storage): /metrics says what waits in it")
    try:
        return Folder.existing(queue_folder(config).path)
    except QueueError as error:
        sys.exit(f"otel-agent-eval: {error}")


def _letters(config: Config, folder: Folder, damaged: list[str]) -> DeadLetters:
    """Return the letters of a queue; those that cannot be read are told to `damaged` when they are met."""
    limits = config.service.queue.dead_letters
    return DeadLetters(
        folder,
        LetterLimits(limits.size, limits.max_age),
        unreadable=lambda file, why: damaged.append(f"{file.relative_to(folder.path)}: {why}"),
    )


def _tell(damaged: Iterable[str]) -> None:
    for each in damaged:
        sys.stdout.write(f"cannot be read: {visible(each)}\n")


def _names(config: Config, letters: DeadLetters, found: Recovered) -> list[str]:
    """Return everybody for whom there is something, or could be: destinations, then scoring."""
    others = {*config.exporters, *found.undone(), *letters.destinations()} - {AGENT_EVAL}
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
