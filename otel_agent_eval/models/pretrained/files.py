"""From a reference to files on this machine: a folder, or the cache of the hub, filled where that may be."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Any

from otel_agent_eval.models.pretrained.reference import HubReference, LocalReference, Reference
from otel_agent_eval.models.runtime import ModelError

WEIGHTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "model.onnx",
)
"""What a folder may call its weights, the best first."""
TOKENIZERS = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "spiece.model",
    "sentencepiece.bpe.model",
    "spm.model",
    "tokenizer.model",
)
_HHEM_FOUNDATION = "google/flan-t5-base"
"""Whose tokenizer HHEM uses: its own repository has none."""
_SHORT = 8
_CONFIG_BYTES = 16 << 20


class Fetch(Enum):
    """When to ask the hub."""

    NEVER = auto()
    MISSING = auto()
    """For what is not in the cache."""
    ALWAYS = auto()
    """For what is new, too."""


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model on this machine: `folder` holds its configuration, `tokenizer` (mostly the same folder) its tokenizer.

    `version` names it and its state: `owner/name@commit`, or a folder's name and a digest of its files.
    """

    folder: Path
    weights: Path
    tokenizer: Path
    version: str

    @property
    def is_onnx(self) -> bool:
        """Whether ONNX Runtime runs it."""
        return self.weights.suffix == ".onnx"

    @property
    def size(self) -> int:
        """Bytes of the weights, in all their parts."""
        stem = self.weights.name.split(".")[0]
        parts = self.weights.parent.glob(f"{stem}-*-of-*") if self.weights.suffix == ".json" else [self.weights]
        return sum(path.stat().st_size for path in parts)

    @property
    def is_checkpoint(self) -> bool:
        """Whether the weights are a checkpoint of Detoxify."""
        return self.weights.suffix in {".ckpt", ".pt", ".pth"}


def resolve(reference: Reference, when: Fetch = Fetch.MISSING) -> ModelFiles:
    """Return a model's files: in a folder, or of the hub, which is asked only as `when` says. Raises `ModelError`."""
    try:
        return _local(reference) if isinstance(reference, LocalReference) else _from_hub(reference, when)
    except OSError as error:
        raise ModelError(f"{reference} cannot be read: {error.strerror}") from error


def _from_hub(reference: HubReference, when: Fetch) -> ModelFiles:
    folder = fetch(reference, when)
    weights = find_weights(folder, reference.file)
    if weights is None:
        raise ModelError(f"{reference} has no weights: none of {', '.join(WEIGHTS)}")
    file = f"/{reference.file}" if reference.file else ""
    version = f"{reference.repository}{file}@{folder.name[:_SHORT]}"
    return ModelFiles(folder, weights, _tokenizer(folder, when), version)


def fetch(reference: HubReference, when: Fetch) -> Path:
    """Return the folder of a repository in the cache. Raises `ModelError`."""
    from otel_agent_eval.models.pretrained import hub  # noqa: PLC0415 (it takes its time, and most do without)

    return hub.fetch(reference, when)


def find_weights(folder: Path, file: str = "") -> Path | None:
    """Return the file of weights in a folder: the one that is named, else the best."""
    names = (file,) if file else WEIGHTS
    return next((folder / name for name in names if (folder / name).exists()), None)


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a file. Raises `ModelError`."""
    value = _json(path)
    if not isinstance(value, dict):
        raise ModelError(f"{path} is damaged: it holds no object")
    return value


def read_json_list(path: Path) -> list[dict[str, Any]]:
    """Return the list of objects in a file. Raises `ModelError`."""
    value = _json(path)
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise ModelError(f"{path} is damaged: it holds no list of objects")
    return value


def _json(path: Path) -> object:
    try:
        with path.open("rb") as file:
            return json.loads(file.read(_CONFIG_BYTES))
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} is damaged: it is no JSON") from error


def _local(reference: LocalReference) -> ModelFiles:
    try:
        path = reference.path.expanduser().resolve()
    except (RuntimeError, OSError) as error:  # nobody's home, or a loop of links
        raise ModelError(f"{reference} is not a path: {error}") from error
    if not path.exists():
        raise ModelError(f"{reference} does not exist")
    folders = [path] if path.is_dir() else [path.parent, path.parent.parent]  # onnx/model.onnx lies below the rest
    folder = next((folder for folder in folders if (folder / "config.json").exists()), None)
    if folder is None:
        beside = "in it" if path.is_dir() else "beside it"
        raise ModelError(f"{reference} is not a model: there is no config.json {beside}")
    weights = find_weights(path) if path.is_dir() else path
    if weights is None:
        raise ModelError(f"{reference} has no weights: none of {', '.join(WEIGHTS)}")
    tokenizer = _tokenizer(folder, Fetch.MISSING)
    digest = _digest([weights, folder / "config.json", tokenizer / "tokenizer.json"])
    return ModelFiles(folder, weights, tokenizer, f"{path.name}@{digest}")


def _tokenizer(folder: Path, when: Fetch) -> Path:
    """Return the folder of a model's tokenizer: mostly its own."""
    if any((folder / name).exists() for name in TOKENIZERS):
        return folder
    config = read_json(folder / "config.json")
    if str(config.get("model_type")).lower() == "hhemv2":
        return fetch(HubReference(str(config.get("foundation", _HHEM_FOUNDATION)), file="tokenizer.json"), when)
    raise ModelError(f"{folder} has no tokenizer: none of {', '.join(TOKENIZERS)}")


def _digest(paths: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        if path.exists():
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:_SHORT]
