"""A loaded model of others: windows of tokens in, labels or vectors out, whether torch or ONNX Runtime runs it."""

import logging
import time
from collections.abc import Generator, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from otel_agent_eval.models.batching import pack, pad
from otel_agent_eval.models.onnx_runtime import OnnxRuntime
from otel_agent_eval.models.pretrained.card import Card, Kind, read_card
from otel_agent_eval.models.pretrained.files import ModelFiles, read_json, resolve
from otel_agent_eval.models.pretrained.reference import parse_reference
from otel_agent_eval.models.pretrained.tokens import PretrainedTokenizer, load_tokenizer
from otel_agent_eval.models.pretrained.torch_models import load_torch
from otel_agent_eval.models.runtime import FloatArray, ModelError, Runtime
from otel_agent_eval.models.tokens import Window

_log = logging.getLogger(__name__)

_Result = TypeVar("_Result")
Steps = Generator[None, None, _Result]
"""Work that yields after each run of a model, so that its caller can do something else in between."""

_BUDGET = 1024
"""Padded tokens a run."""
_BY_TOKEN = 3
_OUTPUTS = {
    Kind.CLASSIFIER: ("logits", 2),
    Kind.TOKEN_CLASSIFIER: ("logits", _BY_TOKEN),
    Kind.HHEM: ("logits", _BY_TOKEN),
    Kind.ENCODER: ("last_hidden_state", _BY_TOKEN),
}
"""What an output is called, and how many dimensions it has."""
_OTHER_NAMES = frozenset({"token_embeddings"})


class PretrainedModel:
    """A loaded model with its card, its tokenizer and its files. Safe to call from several threads."""

    def __init__(
        self, runtime: Runtime, card: Card, tokenizer: PretrainedTokenizer, files: ModelFiles, output: str
    ) -> None:
        self.runtime = runtime
        self.card = card
        self.tokenizer = tokenizer
        self.files = files
        self.version = files.version
        self.output = output

    def rows(self, windows: Sequence[Window]) -> Steps[list[FloatArray]]:
        """Return the output of each window: [values], or [tokens, values] where the model says something of each token.

        Yields after each run. The order in which windows run, and what runs beside them, changes nothing.
        """
        by_token = _OUTPUTS[self.card.kind][1] == _BY_TOKEN
        found: dict[int, FloatArray] = {}
        for group in pack([len(window.ids) for window in windows], _BUDGET):
            out = self.runtime.run(pad([windows[i] for i in group], self.card.padding), self.output)
            for i, row in zip(group, out, strict=True):
                found[i] = row[: len(windows[i].ids)] if by_token else row
            yield
        return [found[i] for i in range(len(windows))]

    def probabilities(self, windows: Sequence[Window]) -> Steps[NDArray[np.float64]]:
        """Return the probability of each label, of shape [windows, labels]; HHEM says it at its first token."""
        rows = yield from self.rows(windows)
        logits = np.array([row[0] if self.card.kind is Kind.HHEM else row for row in rows], dtype=np.float32)
        return self.card.probabilities(logits.reshape(len(windows), -1))


def load_pretrained(name: str, threads: int) -> PretrainedModel:
    """Load a model by the name that a configuration gives it. Raises `ModelError` naming what is wrong."""
    started = time.monotonic()
    try:
        files = resolve(parse_reference(name))
    except ValueError as error:
        raise ModelError(str(error)) from error
    model = load_files(files, threads)
    facts = {"model": model.version, "runtime": "onnx" if files.is_onnx else "torch", "kind": model.card.kind.value}
    _log.info("model loaded", extra=facts | {"seconds": round(time.monotonic() - started, 2)})
    return model


def load_files(files: ModelFiles, threads: int) -> PretrainedModel:
    """Load a model whose files are there. Raises `ModelError`."""
    card = read_card(files)
    settings = files.folder / "sentence_bert_config.json"
    lower = settings.exists() and read_json(settings).get("do_lower_case") is True
    tokenizer = load_tokenizer(files.tokenizer, lower=lower)
    runtime: Runtime
    if files.is_onnx:
        runtime = onnx = OnnxRuntime(files.weights, threads)
        output = _output_name(card, onnx.outputs)
    else:
        runtime, card = load_torch(files, card, threads)
        output = _OUTPUTS[card.kind][0]
    model = PretrainedModel(runtime, card, tokenizer, files, output)
    _try(model)
    return model


def _try(model: PretrainedModel) -> None:
    """Run a model once: a file that is not what its configuration says is found at start. Raises `ModelError`."""
    window = model.tokenizer.single(model.tokenizer.encode(["a"])[0])
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
