"""Which runtime an ONNX file runs in: one rule, the same on every replica of the same installation and processor."""

import logging
from collections.abc import Set as AbstractSet
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final, Literal

from otel_agent_eval.models.onnx_runtime import OnnxRuntime
from otel_agent_eval.models.openvino_runtime import OpenVinoRuntime
from otel_agent_eval.models.processor import processor_features
from otel_agent_eval.models.runtime import ModelError

_log = logging.getLogger(__name__)

Wanted = Literal["auto", "onnxruntime", "openvino"]
"""A runtime by name, or `auto` to let the rule decide."""

_BF16: Final = frozenset({"amx_bf16", "avx512_bf16"})


def choose_runtime(wanted: Wanted, features: AbstractSet[str], *, openvino_installed: bool) -> Wanted:
    """Return the runtime for a processor: OpenVINO where it is installed and multiplies in bf16, else ONNX Runtime."""
    if wanted != "auto":
        return wanted
    return "openvino" if openvino_installed and features & _BF16 else "onnxruntime"


def load_runtime(path: Path, threads: int, wanted: Wanted = "auto") -> OnnxRuntime | OpenVinoRuntime:
    """Load an ONNX file where it shall run, for up to `threads` runs side by side, each on one core; log where.

    Raises `ModelError`.
    """
    features = processor_features()
    installed = _version("openvino")
    name = choose_runtime(wanted, features, openvino_installed=bool(installed))
    runtime: OnnxRuntime | OpenVinoRuntime
    if name == "onnxruntime":
        runtime, release, precision = OnnxRuntime(path, threads=1), _version("onnxruntime"), "as in the file"
    elif installed:
        precision = "bf16" if features & _BF16 else "f32"
        runtime, release = OpenVinoRuntime(path, threads, precision), installed
    else:
        raise ModelError("the runtime openvino is not installed: pip install 'otel-agent-eval[openvino]'")
    facts = {"runtime": name, "version": release, "precision": precision, "threads": threads}
    _log.info("model runtime", extra=facts | {"model": path.parent.name, "processor": " ".join(sorted(features))})
    return runtime


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
