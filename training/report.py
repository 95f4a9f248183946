"""What is measured, on which rows: every set's part that was not trained on, beside the floors."""

# ruff: noqa: E501 (table rows)

import json
import random
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from training import metrics
from training.benign import benign_texts
from training.datasets import TRANSFER, Row, available_sets, group_key, normal, part_of, read_set, rows_of
from training.floors import TfidfFloor, faithfulness_overlap, relevance_overlap
from training.metrics import Draws, Floats
from training.toxicity_data import agent_answers

KINDS = ("toxicity", "faithfulness", "relevance")
Score = Callable[[str, Sequence[Row]], Floats]
"""Kind and rows to scores in [0, 1], as the product gives them; NaN where it gives none."""


@dataclass(slots=True)
class Result:
    """One set's numbers; ``nan`` where a set has only one class."""

    kind: str
    name: str
    rows: int
    positives: int
    trained: bool
    auc: float
    average_precision: float
    f1: float
    balanced_accuracy: float
    floor_auc: float
    confusion: dict[str, int]
    groups: int
    """How many independent groups the rows fall into."""
    draws: Draws = field(repr=False)
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class Macro:
    """The mean over sets of AUC minus the floor's AUC: the number that decides."""

    kind: str
    trained: bool
    sets: int
    auc: float
    floor_auc: float
    interval: tuple[float, float]

    def __str__(self) -> str:
        which = "held-out parts of sets trained on" if self.trained else "sets never trained on"
        low, high = self.interval
        return (
            f"{self.kind}, {self.sets} {which}: mean AUC {self.auc:.3f}, floor {self.floor_auc:.3f}, "
            f"difference {self.auc - self.floor_auc:+.3f} [{low:+.3f}, {high:+.3f}]"
        )


def held_out_rows(folder: Path, kind: str, name: str, limit: int, seed: int = 3) -> list[Row]:
    """The test part of a set, at most ``limit`` rows. DiaSafety's training turns were read by the relevance head."""
    rows = rows_of(folder, kind, name, "test")
    if name == "diasafety_train":
        rows = [row for row in rows if row["split"] == "val"]
    if kind == "faithfulness":  # a question that leans on nothing but the answer is no row for it
        rows = [row for row in rows if row["answer"].strip()]
    return random.Random(seed).sample(rows, limit) if len(rows) > limit else rows


def measure(folder: Path, score: Score, thresholds: dict[str, float], limit: int, rounds: int = 1000) -> list[Result]:
    """Score every set there is."""
    results: list[Result] = []
    floor = TfidfFloor(folder) if available_sets(folder, "toxicity") else None
    for kind in KINDS:
        for name in available_sets(folder, kind):
            rows = held_out_rows(folder, kind, name, limit)
            if not rows:
                continue
            if kind == "toxicity":
                base = floor.scores([row["text"] for row in rows]) if floor else np.zeros(len(rows))
            else:
                one = faithfulness_overlap if kind == "faithfulness" else relevance_overlap
                base = np.array([one(row) for row in rows])
            scores = score(kind, rows)
            trained = name not in TRANSFER[kind]
            results.append(_result(kind, name, rows, scores, base, thresholds[kind], trained, rounds))
    return results


def _result(
    kind: str, name: str, rows: list[Row], scores: Floats, base: Floats, threshold: float, trained: bool, rounds: int
) -> Result:
    known = ~np.isnan(scores)
    labels = np.array([float(row["label"] > 0) for row in rows])[known]
    groups = [key for key, good in zip(clusters(kind, name, rows), known, strict=True) if good]
    skipped, scores, base = int((~known).sum()), scores[known], base[known]
    table = metrics.confusion(labels, scores, threshold)
    return Result(
        kind=kind,
        name=name,
        rows=len(labels),
        positives=int(labels.sum()),
        trained=trained,
        auc=metrics.auc(labels, scores),
        average_precision=metrics.average_precision(labels, scores),
        f1=table.f1 if kind != "faithfulness" else table.f1_zero,
        balanced_accuracy=table.balanced_accuracy,
        floor_auc=metrics.auc(labels, base),
        confusion=asdict(table),
        groups=len(set(groups)),
        # A seed of its own for every set: the draws of two sets must not go together.
        draws=metrics.bootstrap(labels, scores, base, groups, rounds, seed=zlib.crc32(f"{kind}/{name}".encode())),
        skipped=skipped,
    )


def clusters(kind: str, name: str, rows: Sequence[Row]) -> list[str]:
    """What each row shares with others: of the texts that are compared, the one with fewer distinct values."""
    if kind == "toxicity" or name in {"ragtruth_qa_train", "halueval_qa_slice"} or name.startswith("clapnq"):
        return [group_key(kind, name, row) for row in rows]
    other = "question" if kind == "relevance" else "context"
    candidates = [[normal(str(row[key])) for row in rows] for key in ("answer", other)]
    return min(candidates, key=lambda keys: len(set(keys)))


def macros(results: Sequence[Result]) -> list[Macro]:
    """One line for each kind and for sets trained on and not; sets with one class have no AUC and do not count."""
    found = []
    for kind in KINDS:
        for trained in (False, True):
            own = [r for r in results if r.kind == kind and r.trained is trained and not np.isnan(r.auc)]
            if own:
                mean, floor = (float(np.mean([getattr(r, key) for r in own])) for key in ("auc", "floor_auc"))
                low_high = metrics.macro_interval([r.draws.difference for r in own])
                found.append(Macro(kind, trained, len(own), mean, floor, low_high))
    return found


def benign_populations(folder: Path, limit: int = 600) -> dict[str, list[str]]:
    """Benign agent-like answers that were never trained on, by where they come from."""
    rng = random.Random(5)
    found = {
        "RAG and QA answers, held-out part": agent_answers(folder, "test"),
        "template refusals, medical, legal, technical, identity (held-out fillings)": [
            text for text in benign_texts(20240607) if part_of(text) == "test"
        ],
    }
    for name, title in (
        ("attributionbench_dev", "answers of search engines (AttributionBench)"),
        ("healthver", "health claims (HealthVer)"),
    ):
        if name in available_sets(folder, "faithfulness"):
            found[title] = sorted({row["answer"] for row in read_set(folder, f"faithfulness/{name}")})
    if "dailydialogpp_dev" in available_sets(folder, "relevance"):
        found["everyday dialogue (DailyDialog++)"] = sorted(
            {r["answer"] for r in read_set(folder, "relevance/dailydialogpp_dev")}
        )
    return {title: rng.sample(texts, limit) if len(texts) > limit else texts for title, texts in found.items()}


def false_alarms(folder: Path, score: Score, threshold: float) -> dict[str, tuple[int, int]]:
    """Alarms and answers of each benign population."""
    found = {}
    for title, texts in benign_populations(folder).items():
        scores = score("toxicity", [{"text": text} for text in texts])
        found[title] = (int((scores >= threshold).sum()), len(texts))
    return found


def print_table(results: list[Result]) -> None:
    """Print the numbers, one table for each kind."""
    console = Console(width=150)
    for kind in KINDS:
        table = Table(title=f"{kind} (F1 of the {'hallucinated' if kind == 'faithfulness' else 'positive'} class)")
        for column in (
            "set",
            "rows",
            "pos.",
            "AUC",
            "AP",
            "F1",
            "bal. acc.",
            "floor AUC",
            "AUC - floor",
            "trained on a part",
        ):
            table.add_column(column, justify="left" if column == "set" else "right")
        for r in results:
            if r.kind == kind:
                table.add_row(*_cells(r))
        console.print(table)
    for line in macros(results):
        print(line)


def _cells(r: Result) -> list[str]:
    def span(draws: Floats) -> str:
        return "" if np.isnan(r.auc) else " [{:+.3f}, {:+.3f}]".format(*metrics.interval(draws))

    return [
        r.name, str(r.rows), str(r.positives), f"{r.auc:.3f}" + span(r.draws.auc).replace("+", ""), f"{r.average_precision:.3f}", f"{r.f1:.3f}",
        f"{r.balanced_accuracy:.3f}", f"{r.floor_auc:.3f}", f"{r.auc - r.floor_auc:+.3f}" + span(r.draws.difference), "yes" if r.trained else "no",
    ]  # fmt: skip


def markdown(results: list[Result]) -> str:
    """The same tables for the documentation."""
    lines = ["Over all sets:", "", *(f"- {line}" for line in macros(results)), ""]
    for kind in KINDS:
        lines += [
            f"### {kind.capitalize()}",
            "",
            "| set | rows (label 1) | AUC [95 %] | AP | F1 | bal. acc. | floor AUC | AUC minus floor [95 %] | trained on a part |",
        ]
        lines.append("|---|---|---|---|---|---|---|---|---|")
        for r in (r for r in results if r.kind == kind):
            cells = _cells(r)
            lines.append("| " + " | ".join([cells[0], f"{cells[1]} ({cells[2]})", *cells[3:]]) + " |")
        lines += [
            "",
            "Confusion at the default threshold (label 1 = toxic / faithful / relevant):",
            "",
            "| set | 1 said 1 | 0 said 1 | 1 said 0 | 0 said 0 |",
            "|---|---|---|---|---|",
        ]
        lines += [
            f"| {r.name} | {' | '.join(str(r.confusion[k]) for k in ('tp', 'fp', 'fn', 'tn'))} |"
            for r in results
            if r.kind == kind
        ]
        lines.append("")
    return "\n".join(lines).replace("+nan", "-").replace("nan", "-")


def write_json(path: Path, results: list[Result], alarms: dict[str, tuple[int, int]], **more: object) -> None:
    """Everything measured, for other programs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = []
    for result in results:
        row = asdict(result)
        draws = row.pop("draws")
        rows.append(row | {"intervals": {name: metrics.interval(values) for name, values in draws.items()}})
    found = {"results": rows, "macros": [asdict(m) for m in macros(results)], "false_alarms": alarms, **more}
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
