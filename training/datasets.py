"""Read the labelled sets and divide them, so that what is tested was never trained on."""

import gzip
import hashlib
import json
import re
from pathlib import Path
from typing import Any

Row = dict[str, Any]

# Transfer tests: no row of these is ever trained or calibrated on for its own score.
TRANSFER = {
    "toxicity": ("convabuse_train", "jigsaw_multilabel_tiny", "diasafety_train"),
    "faithfulness": (
        "attributionbench_dev",
        "wice_claim_dev",
        "healthver",
        "climate_fever",
        "covidfact",
        "rte",
        "bump_pairs",
        "halueval_rows_mirror",
    ),
    "relevance": ("wikiqa_train_dev", "trecqa_train_dev", "dailydialogpp_dev"),
}
KNOWN_TO_PUBLISHED_WORDS = ("jigsaw_multilabel_tiny",)
"""Of these rows none was trained on by us, but the words of `training.published` were likely learned from them."""
DIASAFETY_TOXIC = ("Offending User", "Toxicity Agreement")
"""The kinds of unsafe replies in DiaSafety that are about toxicity."""
_WORD = re.compile(r"\w+")


def read_set(folder: Path, name: str) -> list[Row]:
    """Rows of ``folder/name.jsonl.gz`` (``name`` such as ``toxicity/davidson_tweets``)."""
    with gzip.open(folder / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def available_sets(folder: Path, kind: str) -> list[str]:
    """Names of the sets of one kind, in a fixed order."""
    return sorted(path.name.removesuffix(".jsonl.gz") for path in (folder / kind).glob("*.jsonl.gz"))


def normal(text: str) -> str:
    """Words only, lower-cased: two texts with the same words are the same text when divisions are made."""
    return " ".join(_WORD.findall(text.lower()))


def part_of(key: str) -> str:
    """``train`` (80 %), ``tune`` (10 %, calibration and thresholds) or ``test`` (10 %), by a hash of the key."""
    digit = int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big") % 10
    return "test" if digit == 0 else "tune" if digit == 1 else "train"


def group_key(kind: str, name: str, row: Row) -> str:  # noqa: PLR0911 (one line a set)
    """What must stay together: minimal pairs, one context, one question."""
    if name == "paradetox_pairs":
        return "pd" + str(row["id"]).split("-")[1]
    if name == "ragtruth_qa_train":
        return "rt" + str(row["source_id"])
    if name.startswith("clapnq"):
        return "cq" + re.sub(r"\D", "", str(row["id"]))
    if name == "halueval_qa_slice":
        return "he" + str(row["id"]).split("-")[1]
    if name == "qnli_dev":
        return normal(row["answer"])[:80]
    if kind == "toxicity" or "text" in row:
        return normal(row["text"])
    # Contexts of the entailment sets repeat with small edits: their first words keep such families together.
    return " ".join(normal(context_text(row)).split()[:4])


def split_of(kind: str, name: str, row: Row) -> str:
    """The part of one row; the sets' own divisions are kept where contrast sets depend on them."""
    if name in TRANSFER.get(kind, ()):
        return "test"
    if name == "hatemojibuild":
        return {"train": "train", "validation": "tune", "test": "test"}[row["split"]]
    return part_of(group_key(kind, name, row))


def rows_of(folder: Path, kind: str, name: str, part: str) -> list[Row]:
    """The rows of one part of one set."""
    return [row for row in read_set(folder, f"{kind}/{name}") if split_of(kind, name, row) == part]


def documents_of(row: Row) -> list[str]:
    """The context as a list of documents."""
    context = row["context"]
    return [context] if isinstance(context, str) else [str(part) for part in context]


def context_text(row: Row) -> str:
    """The context as one text."""
    return "\n".join(documents_of(row))


def texts_outside_training(folder: Path) -> set[str]:
    """Normalised toxicity texts of every tune, test and transfer part: one set's training may repeat another's test."""
    held: set[str] = set()
    for name in available_sets(folder, "toxicity"):
        rows = read_set(folder, f"toxicity/{name}")
        held.update(normal(row["text"]) for row in rows if split_of("toxicity", name, row) != "train")
    return held
