"""The hub of Hugging Face, by its own client: its cache on this machine first, then the network."""

import re
from collections.abc import Collection, Iterator
from pathlib import Path

from huggingface_hub import HfApi, constants, errors, scan_cache_dir, snapshot_download, try_to_load_from_cache

from otel_agent_eval.models.pretrained.files import WEIGHTS, Fetch, find_weights
from otel_agent_eval.models.pretrained.reference import HubReference
from otel_agent_eval.models.runtime import ModelError


def fetch(reference: HubReference, when: Fetch) -> Path:
    """Return the folder of a repository in the cache. Raises `ModelError`."""
    folder = None if when is Fetch.ALWAYS else _cached(reference)
    if folder is not None:
        return folder
    if when is Fetch.NEVER:
        raise ModelError(f"{reference} is not whole in the cache")
    if constants.HF_HUB_OFFLINE:
        advice = f"run `otel-agent-eval models pull {reference}` where there is a network, and bring its cache"
        raise ModelError(f"{reference} cannot be fetched, as HF_HUB_OFFLINE is set; {advice} (HF_HOME)")
    try:
        return _download(reference)
    except ModelError:
        raise
    except Exception as error:  # the hub's own errors, and whatever its HTTP client raises
        raise ModelError(_reason(reference, error)) from error


def cached() -> Iterator[HubReference]:
    """Yield every model in the cache, by its commit."""
    try:
        repositories = scan_cache_dir().repos
    except errors.CacheNotFound:
        return
    for repository in sorted(repositories, key=lambda found: found.repo_id):
        if repository.repo_type == "model":
            for revision in sorted(repository.revisions, key=lambda found: found.commit_hash):
                yield HubReference(repository.repo_id, revision.commit_hash)


def needed_files(names: Collection[str], file: str = "") -> list[str]:
    """Choose what to download: configuration, tokenizer, card, and one file of weights with its parts."""
    weights = file or next((name for name in WEIGHTS if name in names), "")
    stem = weights.removesuffix(".index.json").removesuffix(".safetensors").removesuffix(".bin")
    parts = re.compile(re.escape(stem) + r"(-\d+-of-\d+\.(safetensors|bin)|(\.onnx)?[._]data)") if stem else None

    def needed(name: str) -> bool:
        plain = "/" not in name and name.endswith((".json", ".txt", ".model", "README.md"))
        module = re.match(r"\d+_\w+/(config\.json|model\.safetensors|pytorch_model\.bin)$", name)
        return name == weights or bool(plain or module or (parts and parts.match(name)))

    return sorted(name for name in names if needed(name))


def _cached(reference: HubReference) -> Path | None:
    """Return the folder of what was fetched before; other files of the repository may be missing."""
    found = try_to_load_from_cache(reference.repository, "config.json", revision=reference.revision or None)
    folder = Path(found).parent if isinstance(found, str) else None
    return folder if folder and find_weights(folder, reference.file) else None


def _download(reference: HubReference) -> Path:
    info = HfApi().model_info(reference.repository, revision=reference.revision or None)
    wanted = needed_files([file.rfilename for file in info.siblings or ()], reference.file)
    if reference.file and reference.file not in wanted:
        raise ModelError(f"{reference.repository} has no file {reference.file}")
    revision = reference.revision or None  # as it was asked for: the cache then knows which commit that is
    return Path(snapshot_download(reference.repository, revision=revision, allow_patterns=wanted))


def _reason(reference: HubReference, error: Exception) -> str:
    """Say why a download failed."""
    reasons: dict[type[Exception], str] = {
        errors.GatedRepoError: f"{reference} wants its terms accepted: do that on the hub, and set HF_TOKEN",
        errors.RepositoryNotFoundError: f"the hub has no model {reference.repository}, or none without HF_TOKEN",
        errors.RevisionNotFoundError: f"{reference.repository} has no revision {reference.revision}",
        errors.HFValidationError: f"{reference} is not a name of the hub",
        errors.HfHubHTTPError: f"{reference} cannot be fetched: the hub refuses ({type(error).__name__})",
    }
    unreachable = f"{reference} cannot be fetched: the hub cannot be reached ({type(error).__name__})"
    return next((reason for kind, reason in reasons.items() if isinstance(error, kind)), unreachable)
