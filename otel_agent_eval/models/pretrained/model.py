"""A loaded model of others: windows of tokens in, labels or vectors out, whatever runtime runs it."""

import logging
import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from otel_agent_eval.models.batching import pad
from otel_agent_eval.models.pretrained.card import Card, Kind, read_card
from otel_agent_eval.models.pretrained.files import ModelFiles, read_json, resolve
from otel_agent_eval.models.pretrained.reference import parse_reference
from otel_agent_eval.models.pretrained.tokens import PretrainedTokenizer, load_tokenizer
from otel_agent_eval.models.pretrained.torch_models import load_torch
from otel_agent_eval.models.runner import RUN_TOKENS, Runner
from otel_agent_eval.models.runtime import FloatArray, ModelError, Runtime, TokenBatch
from otel_agent_eval.models.runtimes import Wanted, load_runtime, quantizes_by_batch
from otel_agent_eval.models.tokens import Window

_log = logging.getLogger(__name__)

_BY_TOKEN = 3
_OUTPUTS = {
    Kind.CLASSIFIER: ("logits", 2),
    Kind.TOKEN_CLASSIFIER: ("logits", _BY_TOKEN),
    Kind.HHEM: ("logits", _BY_TOKEN),
    Kind.ENCODER: ("last_hidden_state", _BY_TOKEN),
}
"""What an output is called, and how many dimensions it has."""
_OTHER_NAMES = frozenset({"token_embeddings"})

Read = Callable[[Sequence[Window]], list[FloatArray]]
"""Says something of each window; what it said lately is remembered."""
Pool = Callable[[FloatArray], FloatArray]
"""Makes one vector of those of a window's tokens, [tokens, values]."""


class PretrainedModel:
    """A loaded model with its card, its tokenizer and its files. Safe to call from several threads.

    `threads` is how many runs go side by side; `step` is the number of tokens that keeps them busy for a while.
    """

    def __init__(
        self,
        runtime: Runtime,
        card: Card,
        tokenizer: PretrainedTokenizer,
        files: ModelFiles,
        *,
        output: str,
        threads: int = 1,
        alone: bool = False,
    ) -> None:
        self.runtime = runtime
        self.card = card
        self.tokenizer = tokenizer
        self.files = files
        self.version = files.version
        self.output = output
        self.step = RUN_TOKENS * threads
        self._make_runner = partial(Runner, padding=card.padding, threads=threads, alone=alone)
        self._runner = self._make_runner(runtime)

    def rows(self, windows: Sequence[Window]) -> list[FloatArray]:
        """Return the output of each window: [values], or [tokens, values] where the model says something of each token.

        The order in which windows run, and what runs beside them, changes nothing.
        """
        return self._runner.rows(self.output, windows)

    def probabilities(self, windows: Sequence[Window]) -> list[NDArray[np.float64]]:
        """Return the probability of each label, [labels] for each window; HHEM says it at its first token."""
        logits = (row[0] if self.card.kind is Kind.HHEM else row for row in self.rows(windows))
        return [self.card.probabilities(row) for row in logits]

    def vectors(self, pool: Pool) -> Read:
        """Return what makes a vector of each window, of what the model says of its tokens."""
        return partial(self._make_runner(_Pooled(self.runtime, pool)).rows, self.output)


class _Pooled:
    """A runtime that gives vectors of windows, so that only these are remembered."""

    def __init__(self, runtime: Runtime, pool: Pool) -> None:
        self._runtime = runtime
        self._pool = pool

    def run(self, batch: TokenBatch, output: str) -> FloatArray:
        lengths = batch.attention_mask.sum(axis=1)
        rows = self._runtime.run(batch, output)
        return np.array([self._pool(row[:length]) for row, length in zip(rows, lengths, strict=True)])


def load_pretrained(name: str, threads: int, runtime: Wanted = "auto") -> PretrainedModel:
    """Load a model by the name that a configuration gives it. Raises `ModelError` naming what is wrong.

    `threads` is how many runs go side by side, each on one core; `runtime` is for ONNX files.
    """
    started = time.monotonic()
    try:
        files = resolve(parse_reference(name))
    except ValueError as error:
        raise ModelError(str(error)) from error
    model = load_files(files, threads, runtime)
    facts = {"model": model.version, "kind": model.card.kind.value, "file": files.weights.name, "threads": threads}
    _log.info("model loaded", extra=facts | {"seconds": round(time.monotonic() - started, 2)})
    return model


def load_files(files: ModelFiles, threads: int, wanted: Wanted = "auto") -> PretrainedModel:
    """Load a model whose files are there. Raises `ModelError`."""
    card = read_card(files)
    settings = files.folder / "sentence_bert_config.json"
    lower = settings.exists() and read_json(settings).get("do_lower_case") is True
    tokenizer = load_tokenizer(files.tokenizer, lower=lower)
    runtime: Runtime
    alone = False
    if files.is_onnx:
        runtime = onnx = load_runtime(files.weights, threads, wanted)
        output, alone = _output_name(card, onnx.outputs), quantizes_by_batch(files.weights)
    else:
        runtime, card = load_torch(files, card)
        output = _OUTPUTS[card.kind][0]
    model = PretrainedModel(runtime, card, tokenizer, files, output=output, threads=threads, alone=alone)
    _try(model)
    return model


def _try(model: PretrainedModel) -> None:
    """Run a model once: a file that is not what its configuration says is found at start. Raises `ModelError`."""
    window = model.tokenizer.single([model.tokenizer.last])  # fails with a tokenizer of more tokens than the model's
    try:
        shape = model.runtime.run(pad([window], model.card.padding), model.output).shape
    except Exception as error:
        raise ModelError(f"{model.files.weights} does not run ({type(error).__name__})") from error
    dimensions, labels = _OUTPUTS[model.card.kind][1], model.card.labels
    if len(shape) != dimensions:
        raise ModelError(
            f"{model.files.weights} gives an output of {len(shape)} dimensions; a {model.card.kind} has {dimensions}"
        )
    if labels and shape[-1] != len(labels):
        raise ModelError(f"{model.files.weights} gives {shape[-1]} labels; config.json names {len(labels)}")


def _output_name(card: Card, names: Sequence[str]) -> str:
    """Return the output that is read of an ONNX file: by its usual name, else the first."""
    usual = {_OUTPUTS[card.kind][0]} | (_OTHER_NAMES if card.kind is Kind.ENCODER else frozenset())
    return next((name for name in names if name in usual), names[0])
