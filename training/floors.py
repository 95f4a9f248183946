"""The simple methods that a model has to beat to be worth its cost."""

# ruff: noqa: PLC0415, SIM905 (scikit-learn only where it is needed; a text of words)

from pathlib import Path
from typing import Any

import numpy as np

from training.datasets import Row, context_text
from training.metrics import Floats

_STOP = frozenset(
    "a an the and or of in on at to for from by with as is are was were be been it its this that what which who "
    "when where how why do does did i you he she they we".split()
)


def _words(text: str) -> set[str]:
    return {w for w in "".join(c if c.isalnum() else " " for c in text.lower()).split() if w not in _STOP}


def faithfulness_overlap(row: Row) -> float:
    """Share of the answer's content words that the context holds."""
    answer = _words(row["answer"])
    return len(answer & _words(context_text(row))) / max(1, len(answer))


def relevance_overlap(row: Row) -> float:
    """Share of the question's content words that the answer holds."""
    question = _words(row["question"] or "")
    return len(question & _words(row["answer"])) / max(1, len(question))


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

    def scores(self, texts: list[str]) -> Floats:
        """Decision values, higher is more toxic."""
        return np.asarray(self._pipeline.decision_function(texts), dtype=np.float64)
