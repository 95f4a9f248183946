"""How many texts of English sets the built-in evaluators would skip as another language, and how fast that is told.

FOLDER holds the sets as for `quality.py`. A row counts where its text or answer is called foreign; `--show` prints such
texts: some sets do hold rows in other languages.
"""

import argparse
import gzip
import json
import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from otel_agent_eval.processors.language import readable
from otel_agent_eval.processors.reading import finish

_SEED = 20240607
_SHOWN = 160


@dataclass(frozen=True, slots=True)
class Row:
    """What was found in one set, or in its rows of one label."""

    set: str
    label: object
    texts: int
    foreign: int
    microseconds: float


def main() -> None:
    """Print a table, and write JSON if told to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--limit", type=int, default=1000, help="rows of a set and label, a seeded sample")
    parser.add_argument("--show", action="store_true", help="print the texts that are called foreign")
    parser.add_argument("--out", type=Path, metavar="FILE.json")
    options = parser.parse_args()

    console = Console()
    rows: list[Row] = []
    for path in sorted(options.data.glob("*/*.jsonl.gz")):
        if path.parent.name in {"toxicity", "faithfulness", "relevance"}:
            for label, texts in _texts(path, options.limit).items():
                row, foreign = _measure(f"{path.parent.name}/{path.name.split('.')[0]}", label, texts)
                rows.append(row)
                for text in foreign if options.show else ():
                    console.print(f"{row.set}: {text[:_SHOWN]!r}", markup=False)
    console.print(_table(rows))
    if options.out:
        options.out.write_text(json.dumps([asdict(row) for row in rows], indent=1), encoding="utf-8")


def _texts(path: Path, limit: int) -> dict[object, list[str]]:
    """Return texts (toxicity) or answers by label; only for toxicity does the label matter."""
    found: dict[object, list[str]] = {}
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            label = row["label"] if "text" in row else None
            found.setdefault(label, []).append(row["text"] if "text" in row else row["answer"])
    chance = random.Random(_SEED)  # noqa: S311 (a sample, not a secret)
    return {label: chance.sample(texts, min(limit, len(texts))) for label, texts in found.items()}


def _measure(name: str, label: object, texts: Sequence[str]) -> tuple[Row, list[str]]:
    finish(readable(["Bonjour à tous, je ne sais pas"]))  # loads the identifier
    started = time.process_time()
    found = finish(readable(texts))
    seconds = time.process_time() - started
    foreign = [text for text, ok in zip(texts, found, strict=True) if not ok]
    return Row(name, label, len(texts), len(foreign), round(1e6 * seconds / max(len(texts), 1), 1)), foreign


def _table(rows: Sequence[Row]) -> Table:
    table = Table("set", "label", "texts", "called foreign", "per cent", "µs a text")
    for row in rows:
        share = f"{100 * row.foreign / max(row.texts, 1):.2f}"
        label = "" if row.label is None else str(row.label)
        table.add_row(row.set, label, str(row.texts), str(row.foreign), share, f"{row.microseconds:.0f}")
    for kind in ("toxicity", "faithfulness", "relevance"):
        own = [row for row in rows if row.set.startswith(kind)]
        texts, foreign = sum(row.texts for row in own), sum(row.foreign for row in own)
        table.add_row(f"all of {kind}", "", str(texts), str(foreign), f"{100 * foreign / max(texts, 1):.3f}", "")
    return table


if __name__ == "__main__":
    main()
