"""Error rates of the built-in evaluators, for otel_agent_eval/alerts/error_rates.yaml, from a measurement of quality.

    python benchmarks/quality.py --data FOLDER --limit 1000 --out quality.json
    python benchmarks/error_rates.py quality.json >> otel_agent_eval/alerts/error_rates.yaml
    python benchmarks/error_rates.py quality.json --severe 0.8 --data FOLDER

The sets are those that are most like what agents answer. The third command counts benign answers that would page.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from otel_agent_eval.evaluation import Interaction, Scored
from otel_agent_eval.processors.registry import load_evaluators

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # training/ is not part of the installed package
from training.benign_answers import populations

SETS = {
    "faithfulness": ("ragtruth_qa_train",),
    "relevance": ("dailydialogpp_dev", "trecqa_train_dev", "wikiqa_train_dev"),
    "toxicity": ("convabuse_train", "jigsaw_multilabel_tiny"),
}
TEMPLATES = "template"
"""Benign sentences made from templates: too few kinds to stand for answers."""


def entries(quality: dict[str, Any]) -> Iterator[str]:
    """Yield an entry for each evaluator: how many bad and good answers it flagged."""
    for name, sets in SETS.items():
        found = [row for row in quality["results"] if row["kind"] == name and row["name"] in sets]
        if {row["name"] for row in found} != set(sets):
            raise ValueError(f"the measurement of {name} lacks some of {', '.join(sets)}")
        cells = {key: sum(row["confusion"][key] for row in found) for key in ("tp", "fp", "fn", "tn")}
        if name == "toxicity":  # label 1 is toxic, and benign answers were counted apart
            alarms = [pair for title, pair in quality["false_alarms"].items() if not title.startswith(TEMPLATES)]
            good_flagged, good = (sum(column) for column in zip(*alarms, strict=True))
            bad_flagged, bad = cells["tp"], cells["tp"] + cells["fn"]
        else:  # label 1 is good
            bad_flagged, bad = cells["tn"], cells["tn"] + cells["fp"]
            good_flagged, good = cells["fn"], cells["fn"] + cells["tp"]
        version = quality["evaluators"][name]["version"]
        yield f"{version}:  # {', '.join(sets)}{'; good: benign answers' * (name == 'toxicity')}\n"
        yield f"  bad: {bad}\n  bad_flagged: {bad_flagged}\n  good: {good}\n  good_flagged: {good_flagged}\n"


def severe_alarms(folder: Path, threshold: float) -> str:
    """Score the benign answers and say how many would page."""
    (evaluator,) = load_evaluators(["toxicity"])
    alarms = total = 0
    for population in populations(folder, limit=1000):
        if population.counted:
            for start in range(0, len(population.texts), 32):
                found = evaluator.evaluate([Interaction(answer=text) for text in population.texts[start : start + 32]])
                alarms += sum(isinstance(e, Scored) and e.score >= threshold for e in found)
                total += len(found)
    return f"severe false alarms at {threshold:g}: {alarms} of {total} benign answers"


def main() -> None:
    """Parse options, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("quality", type=Path, help="what benchmarks/quality.py wrote with --out")
    parser.add_argument("--severe", type=float, help="count benign answers that score at least this")
    parser.add_argument("--data", type=Path, help="the folder of the sets, for --severe")
    options = parser.parse_args()
    if options.severe is not None and options.data is not None:
        print(severe_alarms(options.data, options.severe))
        return
    print("".join(entries(json.loads(options.quality.read_text("utf-8")))), end="")


if __name__ == "__main__":
    main()
