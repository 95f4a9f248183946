"""From a reference to files on this machine: a folder, or the cache of the hub, filled where that may be."""

import hashlib
import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from otel_agent_eval.models.pretrained.reference import HubReference, LocalReference, Reference
from otel_agent_eval.models.runtime import ModelError

_WEIGHTS = (
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
    def is_checkpoint(self) -> bool:
        """Whether the weights are a checkpoint of Detoxify."""
        return self.weights.suffix in {".ckpt", ".pt", ".pth"}


def resolve(reference: Reference, *, refresh: bool = False) -> ModelFiles:
    """Return a model's files: of the hub from the cache, and only what is not there from the network.

    `refresh` asks the hub for what is new. Raises `ModelError`.
    """
    if isinstance(reference, LocalReference):
        return _local(reference)
    folder = fetch(reference, refresh=refresh)
    weights = _weights(folder, reference.file)
    if weights is None:
        raise ModelError(f"{reference} is not whole in the cache: run `otel-agent-eval models pull {reference}`")
    file = f"/{reference.file}" if reference.file else ""
    version = f"{reference.repository}{file}@{folder.name[:_SHORT]}"
    return ModelFiles(folder, weights, _tokenizer(folder, refresh=refresh), version)


def fetch(reference: HubReference, *, refresh: bool = False) -> Path:
    """Return the folder of a repository in the cache, downloading it if it is not there. Raises `ModelError`."""
    import huggingface_hub as hub  # noqa: PLC0415 (it takes its time, and most gateways do without)

    folder = None if refresh else _cached(reference)
    if folder is not None:
        return folder
    if hub.constants.HF_HUB_OFFLINE:
        advice = (
            f"where there is a network run `otel-agent-eval models pull {reference}`, and bring its cache (HF_HOME)"
        )
        raise ModelError(f"{reference} is not in the cache, and HF_HUB_OFFLINE is set: {advice}")
    try:
        return _download(reference)
    except hub.errors.GatedRepoError as error:
        raise ModelError(f"{reference} asks for its terms to be accepted: do that on the hub, set HF_TOKEN") from error
    except hub.errors.RevisionNotFoundError as error:
        raise ModelError(f"{reference.repository} has no revision {reference.revision}") from error
    except hub.errors.RepositoryNotFoundError as error:
        raise ModelError(f"the hub has no model {reference.repository}, or none without HF_TOKEN") from error
    except (OSError, hub.errors.HfHubHTTPError, hub.errors.LocalEntryNotFoundError) as error:
        message = f"{reference} is not in the cache, and the hub cannot be reached ({type(error).__name__})"
        raise ModelError(message) from error


def _cached(reference: HubReference) -> Path | None:
    import huggingface_hub as hub  # noqa: PLC0415

    try:
        found = hub.snapshot_download(reference.repository, revision=reference.revision or None, local_files_only=True)
    except hub.errors.LocalEntryNotFoundError:
        return None
    folder = Path(found)
    return folder if _weights(folder, reference.file) else None


def _download(reference: HubReference) -> Path:
    import huggingface_hub as hub  # noqa: PLC0415

    info = hub.HfApi().model_info(reference.repository, revision=reference.revision or None)
    wanted = needed_files([file.rfilename for file in info.siblings or ()], reference.file)
    if reference.file and reference.file not in wanted:
        raise ModelError(f"{reference.repository} has no file {reference.file}")
    return Path(hub.snapshot_download(reference.repository, revision=info.sha, allow_patterns=wanted))


def needed_files(names: Collection[str], file: str = "") -> list[str]:
    """Choose what to download: configuration, tokenizer, card, and one file of weights with its parts."""
    weights = file or next((name for name in _WEIGHTS if name in names), "")
    stem = weights.removesuffix(".index.json").removesuffix(".safetensors").removesuffix(".bin")
    parts = re.compile(re.escape(stem) + r"(-\d+-of-\d+\.(safetensors|bin)|(\.onnx)?[._]data)") if stem else None

    def needed(name: str) -> bool:
        plain = "/" not in name and name.endswith((".json", ".txt", ".model", "README.md"))
        module = re.match(r"\d+_\w+/(config\.json|model\.safetensors|pytorch_model\.bin)$", name)
        return name == weights or bool(plain or module or (parts and parts.match(name)))

    return sorted(name for name in names if needed(name))


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
    weights = _weights(path) if path.is_dir() else path
    if weights is None:
        raise ModelError(f"{reference} has no weights: none of {', '.join(_WEIGHTS)}")
    tokenizer = _tokenizer(folder)
    digest = _digest([weights, folder / "config.json", tokenizer / "tokenizer.json"])
    return ModelFiles(folder, weights, tokenizer, f"{path.name}@{digest}")


def _weights(folder: Path, file: str = "") -> Path | None:
    names = (file,) if file else _WEIGHTS
    return next((folder / name for name in names if (folder / name).exists()), None)


def _tokenizer(folder: Path, *, refresh: bool = False) -> Path:
    """Return the folder of a model's tokenizer: mostly its own."""
    if any((folder / name).exists() for name in TOKENIZERS):
        return folder
    config = read_json(folder / "config.json")
    if str(config.get("model_type")).lower() == "hhemv2":
        return fetch(
            HubReference(str(config.get("foundation", _HHEM_FOUNDATION)), file="tokenizer.json"), refresh=refresh
        )
    raise ModelError(f"{folder} has no tokenizer: none of {', '.join(TOKENIZERS)}")


def _digest(paths: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        if path.exists():
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:_SHORT]
