"""Turn logits into probabilities, choose thresholds on held-out rows, and write model.json."""

# ruff: noqa: ANN401, E501 (numbers of several shapes; table of sources)

import argparse
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from training import scoring
from training.benign import benign_texts
from training.datasets import Row, documents_of, part_of, rows_of
from training.metrics import Floats, best_threshold
from training.scoring import Scorer
from training.toxicity_data import agent_answers
from training.weak_labels import LABELS, Lexicon, targets

TOXICITY_SETS = (
    "jigsaw_wiki_sample", "paradetox_pairs", "hatemojibuild", "implicit_hate_safenlp", "context_toxicity_wiki", "edos_sexism",
)  # fmt: skip
FAITHFULNESS_SETS = (
    "ragtruth_qa_train", "clapnq_dev_positive", "halueval_qa_slice", "fever_symmetric", "snli_test", "conjnli_train15k", "begin_dev",
)  # fmt: skip
RELEVANCE_SETS = ("qnli_dev", "clapnq_dev")
FALSE_ALARMS, LEAST_THRESHOLD = 0.001, 0.55


def main() -> None:
    """Parse options, fit, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True, help="folder of model.onnx; model.json is written there")
    parser.add_argument("--limit", type=int, default=150, help="rows of each set, twice that of some")
    options = parser.parse_args()
    scorer = Scorer(options.model)
    heads = {
        "toxicity": _toxicity(scorer, options.data, options.limit),
        "faithfulness": _faithfulness(scorer, options.data, options.limit),
        "relevance": _relevance(scorer, options.data, options.limit),
    }
    card = {
        "name": "builtin",
        "version": 1,
        "languages": ["en"],
        "licence": "Apache-2.0",
        "max_tokens": 512,
        "base": "sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0)",
        "trained_on": _sources(),
        "heads": heads,
    }
    (options.model / "model.json").write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n")
    print(json.dumps({k: {x: v[x] for x in ("calibration", "threshold")} for k, v in heads.items()}))


def some(rows: list[Row], limit: int, seed: int = 11) -> list[Row]:
    """At most ``limit`` rows, seeded."""
    return random.Random(seed).sample(rows, limit) if len(rows) > limit else rows


def held_out_benign(folder: Path, part: str, seed: int = 20240607) -> list[str]:
    """Benign agent answers that were not trained on: real ones, and template fillings of that part."""
    return agent_answers(folder, part) + [text for text in benign_texts(seed) if part_of(text) == part]


def _fit(features: Any, labels: Any, weights: Any = None) -> tuple[list[float], float]:
    model = LogisticRegression(C=1.0, max_iter=1000).fit(
        np.asarray(features), np.asarray(labels), sample_weight=weights
    )
    return [round(float(w), 5) for w in model.coef_[0]], round(float(model.intercept_[0]), 5)


def _balance(groups: list[Any]) -> Floats:
    """Weights by which every set counts the same."""
    names, counts = np.unique(np.array(groups), return_counts=True)
    share = dict(zip(names.tolist(), (1 / counts).tolist(), strict=True))
    weights = np.array([share[g] for g in groups])
    return np.asarray(weights / weights.mean())


def _toxicity(scorer: Scorer, folder: Path, limit: int) -> dict[str, Any]:
    lexicon = Lexicon(folder)
    rows = [(name, row) for name in TOXICITY_SETS for row in some(rows_of(folder, "toxicity", name, "tune"), limit)]
    benign = held_out_benign(folder, "tune")
    known = [targets(name, row, float(row["label"]), lexicon) for name, row in rows] + [[0.0] * 6 for _ in benign]
    groups = [name for name, _ in rows] + ["benign"] * len(benign)
    logits = scorer.toxicity([row["text"] for _, row in rows] + benign)
    weights = _balance(groups)
    calibration = []
    for place in range(len(LABELS)):
        keep = [i for i, labels in enumerate(known) if labels[place] is not None]
        scale, bias = _fit(logits[keep, place : place + 1], [int(known[i][place] or 0) for i in keep], weights[keep])
        calibration.append({"scale": max(0.05, scale[0]), "bias": bias})
    toxic = scoring.sigmoid(calibration[0]["scale"] * logits[:, 0] + calibration[0]["bias"])
    # Real answers decide. Template fillings that quote an insult alarm at any useful threshold: see the card.
    real = toxic[len(rows) : len(rows) + len(agent_answers(folder, "tune"))]
    highest = float(np.quantile(real, 1 - FALSE_ALARMS))
    threshold = round(min(0.95, max(LEAST_THRESHOLD, highest + 0.02)), 3)
    quiet = np.sort(real)
    labels = np.array([row["label"] for _, row in rows])
    print(
        "toxicity",
        len(rows),
        len(benign),
        "top benign",
        quiet[-5:].round(3),
        "recall",
        (toxic[: len(rows)][labels == 1] >= threshold).mean(),
    )
    return {
        "output": "toxicity",
        "labels": list(LABELS),
        "calibration": calibration,
        "threshold": threshold,
        "category_threshold": 0.5,
        "window_tokens": scoring.TOXICITY_WINDOW,
        "stride_tokens": scoring.TOXICITY_STRIDE,
        "max_windows": scoring.MAX_WINDOWS,
        "aggregation": "max over windows",
    }


def _faithfulness(scorer: Scorer, folder: Path, limit: int) -> dict[str, Any]:
    rows = []
    for name in FAITHFULNESS_SETS:
        size = limit + 50 if name == "ragtruth_qa_train" else limit
        rows += [(name, r) for r in some(rows_of(folder, "faithfulness", name, "tune"), size)]
    found = scorer.claims([(r["answer"], documents_of(r), r["question"]) for _, r in rows])
    features, labels, groups = [], [], []
    for (name, row), answer in zip(rows, found, strict=True):
        for text, values in answer:
            features.append(values)
            labels.append(_claim_label(row, text))
            groups.append("ragtruth" if name == "ragtruth_qa_train" else "others")
    weights, bias = _fit(features, labels, _balance(groups))
    if weights[2] > 0:  # what the support head already knows of numbers can turn the sign of the last bit of it
        weights, bias = _fit([f[:2] for f in features], labels, _balance(groups))
        weights.append(0.0)
    logits = np.array([scoring.faithfulness_logit(answer, weights, bias) for answer in found])
    truth = np.array([float(r["label"]) for _, r in rows])
    main = np.array([name == "ragtruth_qa_train" for name, _ in rows])
    scale, shift = _fit(logits[:, None], truth, _balance([int(m) for m in main]))
    # Both steps are linear, so they are written as one.
    weights, bias = [round(w * scale[0], 5) for w in weights], round(bias * scale[0] + shift, 5)
    scores = scoring.sigmoid(scale[0] * logits + shift)
    on_rag, on_rest = (best_threshold(truth[part], scores[part]) for part in (main, ~main))
    print("faithfulness", len(rows), "claims", len(features), "thresholds", on_rag, on_rest)
    return {
        "output": "support",
        "features": ["support", "coverage", "numbers"],
        "calibration": {"weights": weights, "bias": bias},
        "threshold": round(on_rag, 3),
        "pair_tokens": scoring.SUPPORT_TOKENS,
        "evidence_words": 110,
        "no_claim_logit": scoring.NO_CLAIM_LOGIT,
        "mark_unseen": True,
        "template": {
            "a": "{evidence}",
            "b": "{question} {claim}",
            "b_long_claim": "{claim}",
            "short_claim_words": 10,
            "question_words": 40,
        },
        "aggregation": "min over claims",
    }


def _claim_label(row: Row, text: str) -> int:
    """Spans say which claims are at fault; without spans the answer's label is the claim's."""
    if row.get("spans"):
        start = row["answer"].find(text)
        return int(not any(min(start + len(text), s["end"]) - max(start, s["start"]) >= 4 for s in row["spans"]))
    return int(row["label"])


def _relevance(scorer: Scorer, folder: Path, limit: int) -> dict[str, Any]:
    rows = [r for name in RELEVANCE_SETS for r in some(rows_of(folder, "relevance", name, "tune"), 2 * limit)]
    items = [(r["question"], r["answer"], int(r["label"])) for r in rows]
    # Answers of other questions are what an agent off the subject would give; the sets above have none.
    good = [r for r in rows_of(folder, "faithfulness", "ragtruth_qa_train", "tune") if r["quality"] == "good"]
    good = some(good + rows_of(folder, "faithfulness", "halueval_qa_slice", "tune"), limit)
    items += [(r["question"], r["answer"], 1) for r in good]
    items += [
        (r["question"], o["answer"], 0)
        for r, o in zip(good, good[7:] + good[:7], strict=True)
        if r["question"] != o["question"]
    ]
    groups = ["sets"] * len(rows) + ["shuffled"] * (len(items) - len(rows))
    found = scorer.relevance([(q, a) for q, a, _ in items])
    truth = np.array([label for *_, label in items], dtype=np.float64)
    weights, bias = _fit([windows[0] for windows in found], truth, _balance(groups))
    scores = scoring.sigmoid(np.array([scoring.relevance_logit(w, weights, bias) for w in found]))
    threshold = best_threshold(truth, scores)
    print("relevance", len(items), weights, bias, threshold)
    return {
        "output": "relevance",
        "embedding_output": "embedding",
        "features": ["pair", "cosine"],
        "calibration": {"weights": weights, "bias": bias},
        "threshold": round(threshold, 3),
        "pair_tokens": scoring.RELEVANCE_TOKENS,
        "template": {"a": "{question}", "b": "{answer}", "question_words": 64},
        "window_words": scoring.RELEVANCE_WINDOW_WORDS,
        "stride_words": scoring.RELEVANCE_STRIDE_WORDS,
        "max_windows": scoring.MAX_WINDOWS,
        "aggregation": "max over windows",
    }


def _sources() -> list[str]:
    return [
        "Jigsaw toxic comments, a slice (CC0)", "ParaDetox (CC0)", "HatemojiBuild (CC BY 4.0)", "Latent Hatred, SafeNLP subset (MIT)",
        "Davidson 2017 (MIT)", "EDOS (CC0)", "Civil Comments toxic spans (CC0)", "CAT_LARGE context toxicity (Apache-2.0)",
        "intersectional madlibs (Apache-2.0)", "Surge profanity list (MIT)", "RAGTruth QA train (MIT)", "ConjNLI (MIT)",
        "MED and HELP (CC BY-SA 4.0)", "SNLI test (CC BY-SA 4.0)", "FEVER-Symmetric (MIT)", "HaluEval QA slice (MIT)",
        "BEGIN dev (CC BY 4.0, CDLA-Sharing 1.0)", "CLAP-NQ dev (Apache-2.0)", "WiCE tokens (ODC-BY)", "QNLI dev (CC BY-SA 4.0)",
        "DiaSafety, dialogue turns only (Apache-2.0)",
    ]  # fmt: skip


if __name__ == "__main__":
    main()
