"""Small labelled sets on disk, in the shape of the real ones, and a scorer whose scores the rows carry."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def write_set(folder: Path, name: str, rows: Sequence[dict[str, Any]]) -> None:
    """Write `folder/name.jsonl.gz`."""
    path = folder / f"{name}.jsonl.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", encoding="utf-8") as lines:
        lines.writelines(json.dumps(row) + "\n" for row in rows)


def last_number(_: str, rows: Sequence[dict[str, Any]]) -> NDArray[np.float64]:
    """Score a text or an answer by the number at its end; nothing where there is none."""
    found = [str(row.get("text") or row["answer"]).rsplit(maxsplit=1)[-1] for row in rows]
    return np.array([float(word) if word.replace(".", "", 1).isdigit() else np.nan for word in found])
