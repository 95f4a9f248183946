"""A model whose answers can be read off its input: for tests of what stands around the built-in model."""

from collections.abc import Iterator

import numpy as np

from otel_agent_eval.models.builtin import builtin_folder
from otel_agent_eval.models.model import Model
from otel_agent_eval.models.runtime import FloatArray, TokenBatch
from otel_agent_eval.models.tokens import Tokenizer

TOXIC_WORD = "idiot"
HEADS = {
    "toxicity": {
        "output": "toxicity",
        "labels": ["toxic", "insult", "threat"],
        "calibration": [{"scale": 1.0, "bias": 0.0}] * 3,
        "threshold": 0.8,
        "category_threshold": 0.5,
        "window_tokens": 32,
        "stride_tokens": 24,
    },
    "faithfulness": {
        "output": "support",
        "calibration": {"weights": [1.0, 0.0, 0.0], "bias": 0.0},
        "threshold": 0.5,
        "pair_tokens": 64,
        "no_claim_logit": 6.0,
        "template": {"short_claim_words": 3, "question_words": 10},
    },
    "relevance": {
        "output": "relevance",
        "embedding_output": "embedding",
        "calibration": {"weights": [1.0, 0.0], "bias": 0.0},
        "threshold": 0.5,
        "pair_tokens": 64,
        "template": {"question_words": 16},
        "window_words": 20,
        "stride_words": 16,
    },
}


class KeywordRuntime:
    """Toxic is what holds `TOXIC_WORD`; supported and relevant is a second text whose tokens the first has.

    Keeps the shapes that it was run with in `shapes`.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._toxic = tokenizer.encode([TOXIC_WORD])[0][0]
        self.shapes: list[tuple[int, ...]] = []

    def run(self, batch: TokenBatch, output: str) -> FloatArray:
        self.shapes.append(batch.input_ids.shape)
        return np.array([self._row(output, ids, types) for ids, types in _rows(batch)], dtype=np.float32)

    def _row(self, output: str, ids: list[int], types: list[int]) -> list[float]:
        if output == "toxicity":
            logit = 6.0 if self._toxic in ids else -6.0
            return [logit, logit, -6.0]
        if output == "embedding":
            vector = np.zeros(64)
            for token in ids[1:-1]:
                vector[token % 64] += 1.0
            return list(vector / max(float(np.linalg.norm(vector)), 1.0))
        first = {token for token, kind in zip(ids, types, strict=True) if kind == 0}
        second = [token for token, kind in zip(ids, types, strict=True) if kind][:-1]
        return [10.0 * (sum(token in first for token in second) / max(len(second), 1)) - 7.0]


def _rows(batch: TokenBatch) -> Iterator[tuple[list[int], list[int]]]:
    for ids, types, mask in zip(batch.input_ids, batch.type_ids, batch.attention_mask, strict=True):
        length = int(mask.sum())
        yield ids[:length].tolist(), types[:length].tolist()


def load_tokenizer() -> Tokenizer:
    return Tokenizer(builtin_folder("toxicity") / "tokenizer.json")


def keyword_model() -> Model:
    tokenizer = load_tokenizer()
    return Model(KeywordRuntime(tokenizer), tokenizer, HEADS, "test")
