"""Turn logits into probabilities, choose thresholds on held-out rows, and write model.json."""

# ruff: noqa: ANN401, E501 (numbers of several shapes; table of sources)

import argparse
import hashlib
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from otel_agent_eval.processors.sentences import split_sentences
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
    "ragtruth_qa_train", "clapnq_dev_positive", "halueval_qa_slice", "fever_symmetric", "snli_test", "begin_dev", "wice_tokens_train",
)  # fmt: skip
RELEVANCE_SETS = ("qnli_dev", "clapnq_dev")
VERSIONS = {"toxicity": 3, "support": 2}
"""Of the model that has an output; each is counted apart, so that one can be replaced without the other."""
FALSE_ALARMS = 0.001
_BENIGN_SETS = (
    ("relevance", "qnli_dev"), ("relevance", "clapnq_dev"), ("faithfulness", "begin_dev"), ("faithfulness", "fever_symmetric"),
    ("faithfulness", "conjnli_train15k"), ("faithfulness", "snli_test"), ("faithfulness", "wice_tokens_train"),
)  # fmt: skip
FOREIGN = 5
"""One row of so many is also read with the documents of another."""
_NAMES = {"support": "faithfulness"}
"""What a head's output is a score of, where it is not called the same."""
SIGNS = (1, 1, -1)
"""Of the weights of support, coverage and unfound numbers."""


def main() -> None:
    """Parse options, fit, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True, help="folder of model.onnx; model.json is written there")
    parser.add_argument("--limit", type=int, default=150, help="rows of each set, twice that of some")
    options = parser.parse_args()
    scorer = Scorer(options.model)
    makers = {"toxicity": _toxicity, "support": _faithfulness, "relevance": _relevance}
    made = [make(scorer, options.data, options.limit) for output, make in makers.items() if output in scorer.outputs]
    heads = {_NAMES.get(head["output"], head["output"]): head for head in made}
    card = {
        "name": "builtin",
        "version": next(number for output, number in VERSIONS.items() if output in scorer.outputs),
        "languages": ["en"],
        "licence": "Apache-2.0",
        "max_tokens": 512,
        "base": "sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0)",
        "trained_on": _sources("toxicity" in heads),
        "sha256": {
            name: hashlib.sha256((options.model / name).read_bytes()).hexdigest()
            for name in ("model.onnx", "tokenizer.json")
        },
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
    return [float(w) for w in model.coef_[0]], float(model.intercept_[0])


def _balance(groups: list[Any]) -> Floats:
    """Weights by which every group counts the same."""
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
        calibration.append({"scale": round(max(0.05, scale[0]), 5), "bias": round(bias, 5)})
    place = calibration[0]

    def toxic(texts: list[str]) -> Floats:
        return scoring.sigmoid(place["scale"] * scorer.toxicity(texts)[:, 0] + place["bias"])

    quiet = np.sort(toxic(unseen_benign(folder)))
    threshold = round(float(np.quantile(quiet, 1 - FALSE_ALARMS)) + 0.0005, 3)
    said = scoring.sigmoid(place["scale"] * logits[: len(rows), 0] + place["bias"]) >= threshold
    recall = {name: _recall(said, rows, name) for name in TOXICITY_SETS}
    print("toxicity", len(rows), "benign", len(quiet), "highest", quiet[-8:].round(3), "threshold", threshold, recall)
    return {
        "output": "toxicity",
        "labels": list(LABELS),
        "calibration": calibration,
        "threshold": threshold,
        "category_threshold": 0.5,
        "window_tokens": scoring.TOXICITY_WINDOW,
        "stride_tokens": scoring.TOXICITY_STRIDE,
        "aggregation": "max over windows",
    }


def _recall(said: Any, rows: list[tuple[str, Row]], wanted: str) -> float:
    found = [s for s, (name, row) in zip(said, rows, strict=True) if name == wanted and row["label"] == 1]
    return round(float(sum(found)) / max(1, len(found)), 3)


def unseen_benign(folder: Path) -> list[str]:
    """Thousands of benign texts that the toxicity head was not trained on; none is of a test or transfer part.

    Answers of the tune parts, with their sentences, and what the other heads read there: answers to questions from
    Wikipedia, replies in dialogues, claims, captions. The highest one in a thousand of their scores is the threshold.
    """
    answers = agent_answers(folder, "tune")
    texts = answers + [s.text for answer in answers for s in split_sentences(answer)]
    for kind, name in _BENIGN_SETS:
        texts += [r["answer"] for r in rows_of(folder, kind, name, "tune")]
    return list(dict.fromkeys(texts))


def _faithfulness(scorer: Scorer, folder: Path, limit: int) -> dict[str, Any]:
    rows = _claim_rows(folder, limit)
    found = scorer.claims([(r["answer"], documents_of(r), r["question"]) for _, r in rows])
    features, labels, sets = [], [], []
    for (name, row), answer in zip(rows, found, strict=True):
        for text, values in answer:
            features.append(values)
            labels.append(_claim_label(row, text))
            sets.append(name)
    weights = _fit_within(features, labels, sets)
    bias = 0.0
    logits = np.array([scoring.faithfulness_logit(answer, weights, bias) for answer in found])
    truth = np.array([float(r["label"]) for _, r in rows])
    main = np.array([name == "ragtruth_qa_train" for name, _ in rows])
    scale, shift = _fit(logits[:, None], truth, _balance([int(m) for m in main]))
    # Both steps are linear, so they are written as one.
    weights, bias = [round(w * scale[0], 5) for w in weights], round(shift, 5)
    scores = scoring.sigmoid(scale[0] * logits + shift)
    # RAG answers of many claims count as much as all that has one claim or few.
    threshold = best_threshold([(truth[part], scores[part]) for part in (main, ~main)])
    print("faithfulness", len(rows), "claims", len(features), "threshold", threshold)
    return {
        "output": "support",
        "features": ["support", "coverage", "numbers"],
        "calibration": {"weights": weights, "bias": bias},
        "threshold": round(threshold, 3),
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


def _claim_rows(folder: Path, limit: int) -> list[tuple[str, Row]]:
    """Rows of many sets, and right answers of each beside the documents of another row, which do not support them."""
    rows = []
    for name in FAITHFULNESS_SETS:
        own = some(rows_of(folder, "faithfulness", name, "tune"), limit)
        rows += [(name, row) for row in own]
        right = [row for row in own if row["label"] == 1][: max(1, len(own) // FOREIGN)]
        others = [o["context"] for o in own]
        for row, context in zip(right, others[len(others) // 2 :] + others, strict=False):
            if context != row["context"]:
                rows.append((name, row | {"context": context, "label": 0, "spans": None}))
    return rows


def _fit_within(features: list[list[float]], labels: list[int], sets: list[str]) -> list[float]:
    """Weights that tell supported from unsupported claims within every set, all sets counting the same.

    Each set has an intercept of its own, so that the weights do not learn to tell the sets apart. A weight whose sign
    makes no sense is left out: more words found must not make a claim less supported.
    """
    names = sorted(set(sets))
    own = 3.0 * np.array([[float(s == name) for name in names] for s in sets])
    values = np.asarray(features)
    balance = _balance([f"{name} {label}" for name, label in zip(sets, labels, strict=True)])
    keep = list(range(values.shape[1]))
    while True:
        weights, _ = _fit(np.hstack((values[:, keep], own)), labels, balance)
        wrong = [i for i, w in zip(keep, weights, strict=False) if w * SIGNS[i] < 0]
        if not wrong:
            return [dict(zip(keep, weights, strict=False)).get(i, 0.0) for i in range(values.shape[1])]
        keep = [i for i in keep if i not in wrong]


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
    weights, bias = [round(w, 5) for w in weights], round(bias, 5)
    scores = scoring.sigmoid(np.array([scoring.relevance_logit(w, weights, bias) for w in found]))
    threshold = best_threshold([(truth, scores)])
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
        "aggregation": "max over windows",
    }


def _sources(toxicity: bool) -> list[str]:
    if toxicity:
        return [
            "Jigsaw toxic comments, a slice (CC0)", "ParaDetox (CC0)", "HatemojiBuild (CC BY 4.0)", "Latent Hatred, SafeNLP subset (MIT)",
            "Davidson 2017 (MIT)", "EDOS (CC0)", "Civil Comments toxic spans (CC0)", "CAT_LARGE context toxicity (Apache-2.0)",
            "intersectional madlibs (Apache-2.0)", "Surge profanity list (MIT)", "the words of alt-profanity-check (MIT)", "as benign texts: RAGTruth QA train (MIT)", "ConjNLI (MIT)",
            "SNLI test (CC BY-SA 4.0)", "FEVER-Symmetric (MIT)", "HaluEval QA slice (MIT)", "BEGIN dev (CC BY 4.0, CDLA-Sharing 1.0)",
            "CLAP-NQ dev (Apache-2.0)", "QNLI dev (CC BY-SA 4.0)",
        ]  # fmt: skip
    return [
        "RAGTruth QA train (MIT)", "ConjNLI (MIT)", "MED and HELP (CC BY-SA 4.0)", "SNLI test (CC BY-SA 4.0)", "FEVER-Symmetric (MIT)",
        "HaluEval QA slice (MIT)", "BEGIN dev (CC BY 4.0, CDLA-Sharing 1.0)", "CLAP-NQ dev (Apache-2.0)", "WiCE tokens (ODC-BY)",
        "QNLI dev (CC BY-SA 4.0)", "DiaSafety, dialogue turns only (Apache-2.0)",
    ]  # fmt: skip


if __name__ == "__main__":
    main()
