"""What the benchmarks share: the ways to start a gateway and rotel, to print a table and to write JSON."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))  # the tests' ways to start real software serve here, too

from support.gateway import RunningGateway, configuration, gateway  # noqa: E402 (after the path is known)
from support.rotel import Rotel, rotel  # noqa: E402 (the same)

__all__ = ["ROOT", "Rotel", "RunningGateway", "configuration", "gateway", "percentile", "print_table", "rotel", "write"]

_console = Console(width=None if sys.stdout.isatty() else 140)


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that so many per cent of the values do not exceed; NaN of none."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100).__int__() - 1)]


def print_table(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows that have the same keys, numbers rounded for reading."""
    table = Table(title=title, title_justify="left")
    for name, value in rows[0].items():
        table.add_column(name, justify="left" if isinstance(value, str) else "right")
    for row in rows:
        table.add_row(*map(_shown, row.values()))
    _console.print(table)


def write(out: Path | None, results: Mapping[str, Any], before: Mapping[str, Any]) -> None:
    """Print what was measured on (`before`: the machine when it began) and write everything as JSON."""
    _console.print(", ".join(f"{name} {_shown(value)}" for name, value in before.items()), style="dim")
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps({"machine": before, **results}, indent=2) + "\n")


def _shown(value: object) -> str:
    if isinstance(value, float):
        return "-" if value != value else f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}"  # noqa: PLR0124 (NaN)
    return str(value)
