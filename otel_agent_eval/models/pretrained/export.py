"""A model in torch as an ONNX file, which needs no torch; its weights as they are, or as integers of 8 bits."""
# ruff: noqa: PLC0415 (torch and onnx come with the extra)

import json
import re
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from otel_agent_eval.models.pretrained.files import read_json
from otel_agent_eval.models.pretrained.model import PretrainedModel
from otel_agent_eval.models.pretrained.torch_models import ModuleRuntime
from otel_agent_eval.models.runtime import ModelError

_OPSET = 17
_SAMPLE = (2, 9)
"""The shape of what the graph is traced with; both dimensions are free in the file."""
_LEAST_VALUES = 4096
"""Smaller tensors stay as they are: they hold biases and the like."""
_SETTINGS = ("modules.json", "tokenizer_config.json", "sentence_bert_config.json", "config_sentence_transformers.json")
_CHANNEL_AXES = {("MatMul", 1): 1, ("Gemm", 1): 0, ("Gather", 0): 0}
"""By operation and position of the weights among its inputs: the axis along which each slice gets its own scale."""


def export(model: PretrainedModel, folder: Path, *, int8: bool) -> None:
    """Write a model in torch to an empty folder, as ONNX with all that it needs. Raises `ModelError`."""
    if not isinstance(model.runtime, ModuleRuntime):
        raise ModelError(f"{model.version} is an ONNX file already")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise ModelError(f"{folder} is not empty")
        _write_graph(model.runtime.module, model.output, folder / "model.onnx")
        if int8:
            quantize(folder / "model.onnx")
        _write_settings(model, folder)
    except OSError as error:
        raise ModelError(f"{folder} cannot be written: {error.strerror}") from error


def quantize(path: Path) -> None:
    """Store the large weights of an ONNX file as integers with a scale for each channel; widened when it is loaded."""
    try:
        import onnx
        from onnx import helper, numpy_helper
    except ImportError as error:
        raise ModelError("onnx is not installed: pip install 'otel-agent-eval[torch]'") from error

    graph = (loaded := onnx.load(path)).graph
    axes = _quantizable(graph)
    for tensor in [tensor for tensor in graph.initializer if tensor.name in axes]:
        axis, weights = axes[tensor.name], numpy_helper.to_array(tensor)
        integers, scales = _integers(weights, axis)
        graph.initializer.remove(tensor)
        names = [f"{tensor.name}.int8", f"{tensor.name}.scale"]
        graph.initializer.extend(map(numpy_helper.from_array, (integers, scales), names))
        graph.node.insert(0, helper.make_node("DequantizeLinear", names, [tensor.name], axis=axis))
    onnx.save(loaded, path)


def _quantizable(graph: Any) -> dict[str, int]:  # noqa: ANN401 (onnx is not always installed)
    """Return the large matrices that are only multiplied by or looked up in, with the axis of their channels."""
    large = {t.name for t in graph.initializer if len(t.dims) == 2 and np.prod(t.dims) >= _LEAST_VALUES}  # noqa: PLR2004 (matrices)
    uses: dict[str, set[int | None]] = {}
    for node in graph.node:
        for position, name in enumerate(node.input):
            if name in large:
                uses.setdefault(name, set()).add(_CHANNEL_AXES.get((node.op_type, position)))
    return {name: axis for name, (axis, *more) in uses.items() if axis is not None and not more}


def _integers(weights: NDArray[np.float32], axis: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    largest = np.abs(weights).max(axis=1 - axis)
    scales = np.maximum(largest / 127.0, np.finfo(np.float32).tiny).astype(np.float32)
    integers = np.rint(weights / np.expand_dims(scales, 1 - axis)).clip(-127, 127).astype(np.int8)
    return integers, scales


def _write_graph(module: Any, output: str, path: Path) -> None:  # noqa: ANN401 (torch is not always installed)
    import torch

    names = ["input_ids", "attention_mask"]
    if ModuleRuntime.takes_types(module):
        names.append("token_type_ids")

    class Graph(torch.nn.Module):  # type: ignore[misc] # torch is untyped where it is not installed
        """The model with arguments by position and one output."""

        def __init__(self) -> None:
            super().__init__()
            self.inside = module

        def forward(self, *arguments: Any) -> Any:  # noqa: ANN401 (tensors)
            return self.inside(**dict(zip(names, arguments, strict=True)))[output]

    samples = {"input_ids": torch.ones(_SAMPLE, dtype=torch.int64), "attention_mask": torch.ones(_SAMPLE).long()}
    samples["token_type_ids"] = torch.zeros(_SAMPLE, dtype=torch.int64)
    free = {0: "batch", 1: "sequence"}
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # of the tracer; whether it went well is measured
        try:
            torch.onnx.export(
                Graph().eval(),
                tuple(samples[name] for name in names),
                str(path),
                input_names=names,
                output_names=[output],
                dynamic_axes=dict.fromkeys(names, free) | {output: free},
                opset_version=_OPSET,
                dynamo=False,
            )
        except Exception as error:
            reason = (str(error).strip().splitlines() or [""])[0][:300]
            raise ModelError(f"the model cannot be exported ({type(error).__name__}): {reason}") from error


def _write_settings(model: PretrainedModel, folder: Path) -> None:
    """Copy configuration and tokenizer; what only the checkpoint knew is written into the configuration."""
    source = model.files.folder
    config = {key: value for key, value in read_json(source / "config.json").items() if key != "auto_map"}
    if model.files.is_checkpoint:
        config |= {
            "architectures": ["ForSequenceClassification"],
            "id2label": dict(enumerate(model.card.labels)),
            "problem_type": "multi_label_classification",
        }
    (folder / "config.json").write_text(json.dumps(config, indent=2), "utf-8")
    model.tokenizer.save(folder / "tokenizer.json")
    for path in source.iterdir():
        if path.name in _SETTINGS or re.fullmatch(r"\d+_\w+", path.name):
            copy = shutil.copytree if path.is_dir() else shutil.copyfile
            copy(path, folder / path.name)
    for path in folder.glob("*/pytorch_model.bin"):
        _as_safetensors(path)


def _as_safetensors(path: Path) -> None:
    """Rewrite the weights of a layer so that they can be read without torch."""
    import torch
    from safetensors.torch import save_file

    state = torch.load(path, map_location="cpu", weights_only=True)
    save_file({name: tensor.float().contiguous() for name, tensor in state.items()}, path.parent / "model.safetensors")
    path.unlink()
