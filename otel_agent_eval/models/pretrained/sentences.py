"""Vectors of texts as sentence-transformers makes them: prompts, pooling and layers, by the model's own files."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from otel_agent_eval.models.pretrained.card import module_types
from otel_agent_eval.models.pretrained.files import read_json
from otel_agent_eval.models.pretrained.model import PretrainedModel, Read
from otel_agent_eval.models.runtime import FloatArray, ModelError

_Pool = Callable[[FloatArray], FloatArray]

_POOLING: Mapping[str, _Pool] = {
    "cls": lambda tokens: tokens[0],
    "max": lambda tokens: tokens.max(axis=0),
    "mean": lambda tokens: tokens.mean(axis=0),
    "mean_sqrt_len_tokens": lambda tokens: tokens.sum(axis=0) / np.sqrt(len(tokens)),
    "weightedmean": lambda tokens: np.average(tokens, axis=0, weights=np.arange(1, len(tokens) + 1)),
    "lasttoken": lambda tokens: tokens[-1],
}
_OLDER_POOLING = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
"""Keys of older files, in the order in which their vectors are joined."""
_ACTIVATIONS: Mapping[str, Callable[[FloatArray], FloatArray]] = {
    "Identity": lambda x: x,
    "Tanh": np.tanh,
    "ReLU": lambda x: np.maximum(x, 0.0),
}
_TYPES = {"F32": "<f4", "F16": "<f2"}
_DOCUMENT_PROMPTS = ("document", "passage", "corpus")


class SentenceEncoder:
    """Windows of texts to vectors of length 1.

    `query_prompt` and `document_prompt` are what the model wants before a question and before what may answer it.
    """

    def __init__(self, model: PretrainedModel) -> None:
        folder = model.files.folder
        self._modes: tuple[str, ...] = ("mean",)
        self._pools_prompt = True
        self._layers: list[_Pool] = []
        for name, path in module_types(folder):
            if name == "Pooling":
                self._modes, self._pools_prompt = _pooling(path)
            elif name == "Dense":
                self._layers.append(_dense(path))
            elif name not in ("Transformer", "Normalize"):  # vectors are brought to length 1 in the end anyway
                raise ModelError(f"{model.version} has a module {name}, which is not supported")
        settings = folder / "config_sentence_transformers.json"
        config = read_json(settings) if settings.exists() else {}
        prompts = config.get("prompts") or {}
        default = prompts.get(config.get("default_prompt_name"), "")
        self.query_prompt = str(prompts.get("query", default))
        self.document_prompt = str(next((prompts[n] for n in _DOCUMENT_PROMPTS if n in prompts), default))
        self._model = model

    def reader(self, prompt: str) -> Read:
        """Return what makes a vector, [size], of each window of a text behind a prompt."""
        tokenizer = self._model.tokenizer
        (lead,) = tokenizer.encode([prompt])
        skipped = 0 if self._pools_prompt or not prompt else tokenizer.leading_marks + len(lead)
        return self._model.vectors(lambda tokens: self._vector(tokens[skipped:]))

    def _vector(self, tokens: FloatArray) -> FloatArray:
        pooled = np.concatenate([_POOLING[mode](tokens) for mode in self._modes])
        for layer in self._layers:
            pooled = layer(pooled)
        vector = pooled.astype(np.float64)
        return (vector / max(float(np.linalg.norm(vector)), 1e-12)).astype(np.float32)


def _pooling(folder: Path) -> tuple[tuple[str, ...], bool]:
    config = read_json(folder / "config.json")
    given = config.get("pooling_mode") or [mode for key, mode in _OLDER_POOLING.items() if config.get(key)] or "mean"
    modes = (given,) if isinstance(given, str) else tuple(given)
    unknown = [mode for mode in modes if mode not in _POOLING]
    if unknown:
        raise ModelError(f"{folder / 'config.json'} names a pooling that is not known: {unknown[0]!r}")
    return modes, config.get("include_prompt", True) is not False


def _dense(folder: Path) -> _Pool:
    config = read_json(folder / "config.json")
    name = str(config.get("activation_function", "Tanh")).rsplit(".", 1)[-1]
    usual = config.get("module_input_name", "sentence_embedding") == "sentence_embedding"
    if name not in _ACTIVATIONS or config.get("use_residual") or not usual:
        raise ModelError(f"{folder} is a layer that is not supported ({name})")
    weights = _weights(folder)
    matrix, activation = weights["linear.weight"], _ACTIVATIONS[name]
    bias = weights.get("linear.bias", np.zeros(len(matrix), dtype=np.float32))
    return lambda vector: activation(matrix @ vector + bias)


def _weights(folder: Path) -> dict[str, FloatArray]:
    path = folder / "model.safetensors"
    try:
        if path.exists():
            return _safetensors(path.read_bytes())
        import torch  # noqa: PLC0415 (only older models need it)

        loaded = torch.load(folder / "pytorch_model.bin", map_location="cpu", weights_only=True)
        return {name: tensor.float().numpy() for name, tensor in loaded.items()}
    except ImportError as error:
        raise ModelError(f"{folder} needs torch: pip install 'otel-agent-eval[torch]'") from error
    except Exception as error:
        raise ModelError(f"the weights in {folder} cannot be loaded ({type(error).__name__})") from error


def _safetensors(data: bytes) -> dict[str, FloatArray]:
    """Read safetensors of fp32 or fp16: the length of a header in JSON, the header, the values."""
    length = int.from_bytes(data[:8], "little")
    header, values = json.loads(data[8 : 8 + length]), data[8 + length :]
    return {
        name: np.frombuffer(values[slice(*about["data_offsets"])], _TYPES[about["dtype"]])
        .reshape(about["shape"])
        .astype(np.float32)
        for name, about in header.items()
        if name != "__metadata__"
    }
