"""Score with the exported model as the runtime does: windows, evidence, aggregation. The reference for it."""

# ruff: noqa: PLC0415 (the runtime only where it is needed)

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from otel_agent_eval.processors.evidence import EvidenceIndex
from otel_agent_eval.processors.plain import plain
from otel_agent_eval.processors.sentences import claims
from training.metrics import Floats
from training.templates import mark_unseen, relevance_pair, support_pair

CLS, SEP = 101, 102
TOXICITY_WINDOW, TOXICITY_STRIDE, MAX_WINDOWS = 160, 120, 32
SUPPORT_TOKENS, RELEVANCE_TOKENS = 256, 192
RELEVANCE_WINDOW_WORDS, RELEVANCE_STRIDE_WORDS = 100, 80
NO_CLAIM_LOGIT = 6.0
Sequences = list[tuple[list[int], list[int]]]


class Scorer:
    """Logits of texts from the ONNX file of one folder."""

    def __init__(self, folder: Path, threads: int = 2) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(
            str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )
        self.outputs = {value.name for value in self._session.get_outputs()}
        self._plain = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._words = self._plain.get_vocab()
        self._cut: dict[int, Any] = {}
        for size in (SUPPORT_TOKENS, RELEVANCE_TOKENS):
            self._cut[size] = Tokenizer.from_file(str(folder / "tokenizer.json"))
            self._cut[size].enable_truncation(size, strategy="longest_first")
        card = folder / "model.json"
        self.card: dict[str, Any] = json.loads(card.read_text()) if card.exists() else {}

    def toxicity(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Logits [texts, 6]: per label the maximum over windows."""
        texts = [plain(text, self._words.__contains__) for text in texts]
        owners: list[int] = []
        sequences: Sequences = []
        for number, encoding in enumerate(self._plain.encode_batch(texts, add_special_tokens=False)):
            for window in token_windows(encoding.ids):
                owners.append(number)
                sequences.append(([CLS, *window, SEP], [0] * (len(window) + 2)))
        logits = self._run("toxicity", sequences)
        found = np.full((len(texts), logits.shape[1]), -np.inf)
        np.maximum.at(found, np.array(owners), logits)
        return found

    def pairs(self, head: str, pairs: Sequence[tuple[str, str]], tokens: int) -> Floats:
        """One logit for each pair of segments."""
        encodings = self._cut[tokens].encode_batch(list(pairs))
        marked = head == "support"
        return self._run(head, [(e.ids, mark_unseen(e.ids, e.type_ids) if marked else e.type_ids) for e in encodings])[
            :, 0
        ]

    def claims(self, items: Sequence[tuple[str, Sequence[str], str | None]]) -> list[list[tuple[str, list[float]]]]:
        """Of each (answer, documents, question): its claims, each with the features [support, coverage, numbers]."""
        pairs: list[tuple[str, str]] = []
        texts: list[list[tuple[str, float, float]]] = []
        for answer, documents, question in items:
            index = EvidenceIndex(documents)
            texts.append([])
            for claim in claims(answer):
                ground = index.ground(claim.text)
                texts[-1].append((claim.text, ground.coverage, ground.numbers))
                pairs.append(support_pair(index.select(claim.text, question or "").text, claim.text, question))
        logits = iter(self.pairs("support", pairs, SUPPORT_TOKENS).tolist() if pairs else [])
        return [[(text, [next(logits), coverage, numbers]) for text, coverage, numbers in group] for group in texts]

    def relevance(self, items: Sequence[tuple[str, str]]) -> list[list[list[float]]]:
        """Of each (question, answer): the features [pair, cosine] of every window of the answer."""
        owners, pairs = [], []
        for number, (question, answer) in enumerate(items):
            for window in word_windows(answer):
                owners.append(number)
                pairs.append(relevance_pair(question, window))
        logits = self.pairs("relevance", pairs, RELEVANCE_TOKENS)
        cosines = (self.embeddings([q for q, _ in pairs]) * self.embeddings([a for _, a in pairs])).sum(axis=1)
        found: list[list[list[float]]] = [[] for _ in items]
        for number, logit, cosine in zip(owners, logits, cosines, strict=True):
            found[number].append([float(logit), float(cosine)])
        return found

    def embeddings(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Normalised embeddings; a text is run once however often it occurs."""
        distinct = list(dict.fromkeys(texts))
        encodings = self._cut[RELEVANCE_TOKENS].encode_batch(distinct)
        vectors = self._run("embedding", [(e.ids, e.type_ids) for e in encodings])
        places = {text: i for i, text in enumerate(distinct)}
        return vectors[[places[text] for text in texts]]

    def _run(self, head: str, sequences: Sequences, budget: int = 4096) -> NDArray[np.float64]:
        order = sorted(range(len(sequences)), key=lambda i: len(sequences[i][0]))
        found: dict[int, Any] = {}
        start = 0
        while start < len(order):
            size = 1
            while (
                start + size < len(order)
                and size < 64
                and (size + 1) * len(sequences[order[start + size]][0]) <= budget
            ):
                size += 1
            chosen = order[start : start + size]
            width = max(len(sequences[i][0]) for i in chosen)
            ids, mask, kinds = (np.zeros((size, width), np.int64) for _ in range(3))
            for place, i in enumerate(chosen):
                length = len(sequences[i][0])
                ids[place, :length], kinds[place, :length], mask[place, :length] = *sequences[i], 1
            feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": kinds}
            found.update(zip(chosen, self._session.run([head], feed)[0], strict=True))
            start += size
        return np.array([found[i] for i in range(len(sequences))], dtype=np.float64)


def token_windows(ids: list[int]) -> list[list[int]]:
    """Windows over token ids, two places left for the special tokens; the last one ends with the text."""
    size, stride = TOXICITY_WINDOW - 2, TOXICITY_STRIDE
    if len(ids) <= size:
        return [ids]
    starts = [*list(range(0, len(ids) - size, stride)), len(ids) - size]
    return [ids[s : s + size] for s in starts[:MAX_WINDOWS]]


def word_windows(text: str) -> list[str]:
    """Windows over words for relevance."""
    words = text.split()
    if len(words) <= RELEVANCE_WINDOW_WORDS:
        return [" ".join(words)]
    starts = [
        *list(range(0, len(words) - RELEVANCE_WINDOW_WORDS, RELEVANCE_STRIDE_WORDS)),
        len(words) - RELEVANCE_WINDOW_WORDS,
    ]
    return [" ".join(words[s : s + RELEVANCE_WINDOW_WORDS]) for s in starts[:MAX_WINDOWS]]


def combine(features: Sequence[float], weights: Sequence[float], bias: float) -> float:
    """A calibrated logit: the weighted sum of the features, plus the bias."""
    return float(np.dot(features, weights)) + bias


def faithfulness_logit(found: Sequence[tuple[str, list[float]]], weights: Sequence[float], bias: float) -> float:
    """Of a whole answer: that of its weakest claim. An answer that claims nothing has nothing unsupported."""
    return min((combine(features, weights, bias) for _, features in found), default=NO_CLAIM_LOGIT)


def relevance_logit(windows: Sequence[Sequence[float]], weights: Sequence[float], bias: float) -> float:
    """Of a whole answer: that of its best window."""
    return max(combine(features, weights, bias) for features in windows)


def sigmoid(logit: NDArray[np.float64]) -> Floats:
    """Logits to probabilities."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logit, -40, 40))))
