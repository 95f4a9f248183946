"""A model with its tokenizer and its card: windows of tokens in, what its outputs say of them out."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from otel_agent_eval.models.batching import pack, pad
from otel_agent_eval.models.runtime import FloatArray, ModelError, OnnxRuntime, Runtime
from otel_agent_eval.models.tokens import Tokenizer, Window

_BUDGET = 256
"""Padded tokens a run: what lies between two layers then stays in the processor's cache; larger runs are slower."""


class Model:
    """A loaded model. Safe to call from several threads.

    `heads` describes, by name, what its outputs mean: calibration, thresholds, windows.
    """

    def __init__(self, runtime: Runtime, tokenizer: Tokenizer, heads: Mapping[str, Any], version: str) -> None:
        self._runtime = runtime
        self.tokenizer = tokenizer
        self.heads = heads
        self.version = version

    def run(self, output: str, windows: Sequence[Window]) -> FloatArray:
        """Return one output for each window, as an array of shape [windows, values].

        The order in which windows run, and what runs beside them, does not change what they give.
        """
        found: dict[int, FloatArray] = {}
        for group in pack([len(window.ids) for window in windows], _BUDGET):
            batch = pad([windows[i] for i in group], self.tokenizer.padding)
            found.update(zip(group, self._runtime.run(batch, output), strict=True))
        return np.array([found[i] for i in range(len(windows))], dtype=np.float32)


def load_model(folder: Path, threads: int) -> Model:
    """Load `model.onnx`, `tokenizer.json` and `model.json`. Raises `ModelError` naming what is wrong."""
    path = folder / "model.json"
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        heads, version = dict(card["heads"]), str(card["version"])
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path} does not describe a model: {error!r}") from error
    return Model(OnnxRuntime(folder / "model.onnx", threads), Tokenizer(folder / "tokenizer.json"), heads, version)


def sigmoid(logit: float | NDArray[Any]) -> NDArray[np.float64]:
    """Logits to probabilities, without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * np.asarray(logit, dtype=np.float64))))
