"""`otel-agent-eval models list` and `pull`: which models there are, and fetching one."""

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from otel_agent_eval.models.pretrained.card import read_card
from otel_agent_eval.models.pretrained.files import Fetch, ModelFiles, resolve
from otel_agent_eval.models.pretrained.known import KNOWN
from otel_agent_eval.models.pretrained.reference import HubReference, Reference, parse_reference
from otel_agent_eval.models.runtime import ModelError
from otel_agent_eval.processors.pretrained.load import fitting
from otel_agent_eval.processors.registry import BUILT_IN

_CARD_CHARACTERS = 4096


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    fits: str
    size: str
    licence: str
    state: str


@contextmanager
def told() -> Iterator[None]:
    """End the command with the message of a `ModelError`."""
    try:
        yield
    except ModelError as error:
        sys.exit(str(error))


def parse(name: str) -> Reference:
    """Read the name of a model. Raises `ModelError`."""
    try:
        return parse_reference(name)
    except ValueError as error:
        raise ModelError(str(error)) from error


def megabytes(size: int) -> str:
    """Write a number of bytes."""
    return f"{size / 1e6:.1f} MB"


def list_models() -> None:
    """Print the built-in models, those in the cache of the hub and well-known ones."""
    rows = [_Row("model", "for", "size", "licence", "state")]
    rows.append(_Row("builtin", ", ".join(BUILT_IN), "", "apache-2.0", "in the package"))
    cached = [*_cached()]
    names = {row.name.split("@")[0] for row in cached}
    rows += cached
    rows += [
        _Row(known.name, ", ".join(known.fits), f"~{known.megabytes} MB", known.licence, "on the hub")
        for known in KNOWN
        if str(parse_reference(known.name)) not in names
    ]
    sys.stdout.writelines(f"{line}\n" for line in _aligned(rows))


def pull(name: str) -> None:
    """Download a model and print how a configuration names it; exit with 1 where that fails."""
    with told():
        reference = parse(name)
        if not isinstance(reference, HubReference):
            raise ModelError(f"{name} is on this machine: there is nothing to download")
        files = resolve(reference, Fetch.ALWAYS)
        fits = _fits(files)
    pinned = HubReference(reference.repository, files.folder.name, reference.file)
    facts = {"model": pinned, "for": fits, "size": megabytes(files.size), "licence": _licence(files.folder)}
    sys.stdout.writelines(f"{name}: {value}\n" for name, value in facts.items())


def _cached() -> Iterator[_Row]:
    """Yield the models in the cache of the hub that fit an evaluator, or may when they are told their labels."""
    from otel_agent_eval.models.pretrained import hub  # noqa: PLC0415 (it takes its time)

    for reference in hub.cached():
        try:
            files = resolve(reference, Fetch.NEVER)
            fits = _fits(files)
        except ModelError:
            continue  # a model for something else, or only a part of one
        yield _Row(str(reference), fits, megabytes(files.size), _licence(files.folder), "in the cache")


def _fits(files: ModelFiles) -> str:
    card = read_card(files)
    return ", ".join(fitting(card)) or f"what its labels mean: {', '.join(card.labels)[:80]}"


def _licence(folder: Path) -> str:
    """Return the licence that a model's card names."""
    try:
        with (folder / "README.md").open(encoding="utf-8", errors="replace") as file:
            card = file.read(_CARD_CHARACTERS)
    except OSError:
        return "not stated"
    found = re.search(r"^licen[sc]e: *['\"]?([\w.+-]+)", card, re.MULTILINE)
    return found[1] if found else "not stated"


def _aligned(rows: Sequence[_Row]) -> Iterator[str]:
    cells = [(row.name, row.fits, row.size, row.licence, row.state) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
