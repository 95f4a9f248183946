"""Score quality of the built-in evaluators on labelled sets, beside simple floors.

    python benchmarks/quality.py --data FOLDER [--limit 500] [--out results.json] [--markdown tables.md]

FOLDER holds ``toxicity/*.jsonl.gz``, ``faithfulness/*.jsonl.gz``, ``relevance/*.jsonl.gz`` (and ``lexicon/``,
``bias/`` for the toxicity floor). Of sets that the built-in weights were trained on, only the held-out part is used.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # training/ is not part of the installed package

from otel_agent_eval.evaluation import Document, Evaluator, Interaction, Scored  # noqa: E402 (after the path is known)
from otel_agent_eval.processors.registry import load_evaluators  # noqa: E402 (after the path is known)
from training import report  # noqa: E402 (after the path is known)
from training.datasets import Row, documents_of  # noqa: E402 (after the path is known)
from training.metrics import Floats  # noqa: E402 (after the path is known)

BATCH = 64


def main() -> None:
    """Parse options, score, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=500, help="rows of each set, a seeded sample")
    parser.add_argument("--rounds", type=int, default=1000, help="bootstrap resamples")
    parser.add_argument("--out", type=Path, help="write everything as JSON")
    parser.add_argument("--markdown", type=Path, help="write the tables as Markdown")
    options = parser.parse_args()
    evaluators = {evaluator.name: evaluator for evaluator in load_evaluators(report.KINDS)}
    thresholds = {name: evaluator.threshold for name, evaluator in evaluators.items()}

    def score(kind: str, rows: Sequence[Row]) -> Floats:
        return _scores(evaluators[kind], rows)

    results = report.measure(options.data, score, thresholds, options.limit, options.rounds)
    report.print_table(results)
    alarms = report.false_alarms(options.data, score, thresholds["toxicity"])
    for title, (count, total) in alarms.items():
        print(f"false alarms: {count} of {total} {title}")
    if options.out:
        report.write_json(options.out, results, alarms, thresholds=thresholds)
    if options.markdown:
        options.markdown.write_text(report.markdown(results), encoding="utf-8")


def _scores(evaluator: Evaluator, rows: Sequence[Row]) -> Floats:
    """Scores of the rows; NaN where the evaluator skipped or failed."""
    found: list[float] = []
    for start in range(0, len(rows), BATCH):
        evaluations = evaluator.evaluate([_interaction(row) for row in rows[start : start + BATCH]])
        found += [e.score if isinstance(e, Scored) else float("nan") for e in evaluations]
    return np.array(found)


def _interaction(row: Row) -> Interaction:
    if "text" in row:
        return Interaction(answer=row["text"])
    documents = documents_of(row) if row.get("context") else []
    return Interaction(
        answer=row["answer"],
        question=row.get("question") or "",
        documents=tuple(Document(id=str(i), text=text) for i, text in enumerate(documents)),
    )


if __name__ == "__main__":
    main()
