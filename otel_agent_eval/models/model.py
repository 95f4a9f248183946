"""A model with its tokenizer and its card: windows of tokens in, what its outputs say of them out."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from otel_agent_eval.models.processor import available_cores
from otel_agent_eval.models.runner import Runner
from otel_agent_eval.models.runtime import FloatArray, ModelError, Runtime
from otel_agent_eval.models.runtimes import Wanted, load_runtime
from otel_agent_eval.models.tokens import Tokenizer, Window


class Model:
    """A loaded model. Safe to call from several threads.

    `heads` describes, by name, what its outputs mean: calibration, thresholds, windows. `threads` is how many runs go
    side by side.
    """

    def __init__(
        self, runtime: Runtime, tokenizer: Tokenizer, heads: Mapping[str, Any], version: str, threads: int = 1
    ) -> None:
        self._runner = Runner(runtime, tokenizer.padding, threads)
        self.tokenizer = tokenizer
        self.heads = heads
        self.version = version

    def run(self, output: str, windows: Sequence[Window]) -> FloatArray:
        """Return one output for each window, as an array of shape [windows, values].

        The order in which windows run, and what runs beside them, does not change what they give.
        """
        return np.array(self._runner.rows(output, windows), dtype=np.float32)


def load_model(folder: Path, threads: int | None = None, runtime: Wanted = "auto") -> Model:
    """Load `model.onnx`, `tokenizer.json` and `model.json`. Raises `ModelError` naming what is wrong.

    `threads` is the number of cores to use; by default all that this process may.
    """
    card = read_card(folder)
    _check(folder, card.get("sha256", {}))
    threads = threads or available_cores()
    loaded = load_runtime(folder / "model.onnx", threads, runtime)
    model = Model(loaded, Tokenizer(folder / "tokenizer.json"), card["heads"], str(card["version"]), threads)
    named = {str(head[key]) for head in model.heads.values() for key in ("output", "embedding_output") if key in head}
    if missing := named.difference(loaded.outputs):
        raise ModelError(f"{folder / 'model.onnx'} has no output {min(missing)}, which model.json names")
    try:
        model.run(loaded.outputs[0], [model.tokenizer.single([model.tokenizer.last])])
    except Exception as error:
        reason = f"its last token makes a run fail ({type(error).__name__})"
        raise ModelError(f"{folder / 'tokenizer.json'} does not belong to model.onnx: {reason}") from error
    return model


def _check(folder: Path, digests: Mapping[str, str]) -> None:
    """Compare files with their digests: a changed weight would only change scores. Raises `ModelError`."""
    for name, digest in digests.items():
        path = folder / name
        try:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ModelError(f"{path} cannot be read: {error.strerror}") from error
        if found != digest:
            raise ModelError(f"{path} is damaged, or of another model than model.json: its digest differs")


def read_card(folder: Path) -> dict[str, Any]:
    """Read `model.json`, which has `heads` and a `version`. Raises `ModelError`."""
    path = folder / "model.json"
    try:
        card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return card | {"heads": dict(card["heads"]), "version": card["version"]}
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path} does not describe a model: {error!r}") from error


def sigmoid(logit: float | NDArray[Any]) -> NDArray[np.float64]:
    """Logits to probabilities, without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * np.asarray(logit, dtype=np.float64))))
