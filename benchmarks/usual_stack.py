"""What is usually put together for the same scores, in torch and call by call; random weights of the published sizes.

Detoxify (BERT base, six labels) on the answer and on the question, a sentence-transformers bi-encoder (MiniLM, 6
layers) on both, an NLI cross-encoder (DeBERTa v3 base) on the answer beside each passage. Weights change no timing.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    DebertaV2Config,
    DebertaV2ForSequenceClassification,
)

from otel_agent_eval.evaluation import Interaction

Encode = Callable[[Sequence[str]], list[list[int]]]


class UsualStack:
    """Judges one interaction after another, one text a call."""

    def __init__(self, encode: Encode, threads: int) -> None:
        self._threads = threads
        self._encode = encode
        self._toxicity = BertForSequenceClassification(BertConfig(num_labels=6)).eval()
        small = BertConfig(hidden_size=384, num_hidden_layers=6, intermediate_size=1536)
        self._encoder = BertModel(small, add_pooling_layer=False).eval()
        self._entailment = DebertaV2ForSequenceClassification(_deberta()).eval()

    @torch.inference_mode()
    def judge(self, interaction: Interaction) -> None:
        """Score toxicity, input toxicity, relevance and faithfulness, each call on all cores."""
        torch.set_num_threads(self._threads)  # the runtime torch, which takes turns with it, wants one for each run
        question, answer, *passages = self._encode(
            [interaction.question, interaction.answer, *(document.text for document in interaction.documents)]
        )
        for text in (answer, question):
            self._run(self._toxicity, text)
            self._run(self._encoder, text)
        for passage in passages:
            self._run(self._entailment, [*passage, *answer])
        torch.set_num_threads(1)

    @staticmethod
    def _run(model: Any, ids: list[int]) -> None:  # noqa: ANN401 (transformers is not typed)
        tokens = torch.tensor([ids[:512]])
        model(input_ids=tokens, attention_mask=torch.ones_like(tokens))


def matrix_peak(threads: int, size: int = 1536, rounds: int = 6) -> dict[str, float]:
    """Return 10^12 operations a second of square matrix products, by precision."""
    torch.set_num_threads(threads)
    found = {}
    for name, kind in (("torch fp32", torch.float32), ("torch bf16", torch.bfloat16)):
        one = torch.ones(size, size, dtype=kind)
        times = []
        for _ in range(rounds):
            started = time.perf_counter()
            torch.mm(one, one)
            times.append(time.perf_counter() - started)
        found[name] = 2 * size**3 / min(times) / 1e12
    return found


def _deberta() -> DebertaV2Config:
    return DebertaV2Config(
        vocab_size=128_100,
        hidden_size=768,
        num_hidden_layers=12,
        num_attention_heads=12,
        intermediate_size=3072,
        type_vocab_size=0,
        relative_attention=True,
        position_buckets=256,
        pos_att_type=["p2c", "c2p"],
        share_att_key=True,
        norm_rel_ebd="layer_norm",
        position_biased_input=False,
        num_labels=3,
    )
