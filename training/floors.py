"""The simple methods that a model has to beat to be worth its cost."""

# ruff: noqa: PLC0415, SIM905 (scikit-learn only where it is needed; a text of words)

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training.datasets import Row, context_text
from training.metrics import Floats

_STOP = frozenset(
    "a an the and or of in on at to for from by with as is are was were be been it its this that what which who "
    "when where how why do does did i you he she they we".split()
)
_SATURATION, _LENGTH = 1.5, 0.75
"""The usual k1 and b of BM25."""


def _terms(text: str) -> list[str]:
    return [w for w in "".join(c if c.isalnum() else " " for c in text.lower()).split() if w not in _STOP]


def faithfulness_overlap(rows: Sequence[Row]) -> Floats:
    """Share of the answer's content words that the context holds."""
    return _covered([(row["answer"], context_text(row)) for row in rows])


def relevance_overlap(rows: Sequence[Row]) -> Floats:
    """Share of the question's content words that the answer holds."""
    return _covered([(row["question"] or "", row["answer"]) for row in rows])


def _covered(pairs: Sequence[tuple[str, str]]) -> Floats:
    words = [(set(_terms(text)), set(_terms(other))) for text, other in pairs]
    return np.array([len(own & other) / max(1, len(own)) for own, other in words])


def bm25(rows: Sequence[Row]) -> Floats:
    """Okapi BM25 of each question and answer, with the rows' own distinct answers as the collection."""
    collection = {row["answer"]: Counter(_terms(row["answer"])) for row in rows}
    holders = Counter(word for counts in collection.values() for word in counts)
    mean = sum(counts.total() for counts in collection.values()) / len(collection) or 1.0

    def score(question: str, counts: Counter[str]) -> float:
        total = 0.0
        for word in set(_terms(question)) & counts.keys():
            rarity = np.log1p((len(collection) - holders[word] + 0.5) / (holders[word] + 0.5))
            length = 1 - _LENGTH + _LENGTH * counts.total() / mean
            total += rarity * counts[word] * (_SATURATION + 1) / (counts[word] + _SATURATION * length)
        return total

    return np.array([score(row["question"] or "", collection[row["answer"]]) for row in rows])


class TfidfFloor:
    """Words and character n-grams into logistic regression, trained on the rows that the model was trained on."""

    def __init__(self, folder: Path, seed: int = 20240607) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import SGDClassifier
        from sklearn.pipeline import FeatureUnion, Pipeline

        from training.toxicity_data import toxicity_examples

        examples = toxicity_examples(folder, seed)
        words = TfidfVectorizer(ngram_range=(1, 2), min_df=3, sublinear_tf=True, max_features=60_000)
        letters = TfidfVectorizer(
            analyzer="char_wb", ngram_range=(3, 5), min_df=5, sublinear_tf=True, max_features=80_000
        )
        # Logistic loss by stochastic descent: the same model as LogisticRegression, in seconds instead of minutes.
        classifier = SGDClassifier(loss="log_loss", alpha=1e-6, max_iter=8, tol=None, random_state=seed, average=True)
        self._pipeline: Any = Pipeline([("features", FeatureUnion([("w", words), ("c", letters)])), ("lr", classifier)])
        labels = [int(e.targets[0] or 0) for e in examples]
        self._pipeline.fit([e.a for e in examples], labels, lr__sample_weight=[e.weight for e in examples])

    def __call__(self, rows: Sequence[Row]) -> Floats:
        """Decision values, higher is more toxic."""
        return np.asarray(self._pipeline.decision_function([row["text"] for row in rows]), dtype=np.float64)
