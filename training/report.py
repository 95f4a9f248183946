"""What is measured, on which rows: every set's part that was not trained on, beside the floors."""

# ruff: noqa: E501 (table rows)

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from training import metrics
from training.benign import benign_texts
from training.datasets import TRANSFER, Row, available_sets, part_of, read_set, rows_of
from training.floors import TfidfFloor, faithfulness_overlap, relevance_overlap
from training.metrics import Floats
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
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    skipped: int = 0


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
        intervals=metrics.bootstrap(labels, scores, base, rounds),
        skipped=skipped,
    )


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


def _cells(r: Result) -> list[str]:
    def span(key: str) -> str:
        return " [{:+.3f}, {:+.3f}]".format(*r.intervals[key]) if key in r.intervals else ""

    return [
        r.name, str(r.rows), str(r.positives), f"{r.auc:.3f}" + span("auc").replace("+", ""), f"{r.average_precision:.3f}", f"{r.f1:.3f}",
        f"{r.balanced_accuracy:.3f}", f"{r.floor_auc:.3f}", f"{r.auc - r.floor_auc:+.3f}" + span("difference"), "yes" if r.trained else "no",
    ]  # fmt: skip


def markdown(results: list[Result]) -> str:
    """The same tables for the documentation."""
    lines: list[str] = []
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
    return "\n".join(lines).replace("nan", "-")


def write_json(path: Path, results: list[Result], alarms: dict[str, tuple[int, int]], **more: object) -> None:
    """Everything measured, for other programs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = {"results": [asdict(r) for r in results], "false_alarms": alarms, **more}
    path.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
