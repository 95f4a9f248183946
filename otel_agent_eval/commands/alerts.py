"""`otel-agent-eval alerts render`: the rule files of a configuration, written or compared."""

import sys
from collections.abc import Mapping, Sequence
from difflib import unified_diff
from itertools import islice
from pathlib import Path

from otel_agent_eval.alerts.render import render as rendered
from otel_agent_eval.commands.configuration import loaded

_SHOWN_LINES = 20


def render(config: Path | None, output: Path, services: Sequence[str], *, check: bool) -> None:
    """Write the rule files into a folder; with `check` only compare, and exit with 1 where one differs."""
    found = loaded(config)
    try:
        files = rendered(found.config, services)
    except ValueError as error:
        sys.exit(f"{found.source}: {error}")
    if check:
        _compare(output, files)
        return
    try:
        output.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (output / name).write_text(text, "utf-8")
            sys.stdout.write(f"{output / name}\n")
    except OSError as error:
        sys.exit(f"{error.filename}: {error.strerror}")


def _compare(folder: Path, files: Mapping[str, str]) -> None:
    """Show how the files in a folder differ from what would be written; exit with 1 if they do."""
    same = True
    for name, text in files.items():
        path = folder / name
        try:
            old = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            sys.stderr.write(f"{path}: {getattr(error, 'strerror', None) or 'not a text file'}\n")
            same = False
            continue
        if old != text:
            difference = unified_diff(old.splitlines(), text.splitlines(), str(path), "would be written", lineterm="")
            sys.stderr.write("".join(f"{line}\n" for line in islice(difference, _SHOWN_LINES)))
            same = False
    if not same:
        sys.exit("not up to date: run otel-agent-eval alerts render")
    sys.stdout.write(f"up to date: {', '.join(files)}\n")
