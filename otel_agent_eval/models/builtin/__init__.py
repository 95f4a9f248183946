"""The models that come with the package: no network, no key."""

from importlib.resources import files
from pathlib import Path

from otel_agent_eval.models.model import Model, load_model, read_card
from otel_agent_eval.models.runtime import ModelError
from otel_agent_eval.models.runtimes import Wanted

_FOLDER = Path(str(files(__name__)))
"""Holds a folder for each model, with its version in the name."""


def builtin_folder(head: str) -> Path:
    """Return the folder of the built-in model that has a head: `toxicity`, `faithfulness` or `relevance`.

    Raises `ModelError` where none has.
    """
    for folder in sorted(path.parent for path in _FOLDER.glob("*/model.json")):
        if head in read_card(folder)["heads"]:
            return folder
    raise ModelError(f"{_FOLDER} has no model for {head}")


def load_builtin(head: str, threads: int | None = None, runtime: Wanted = "auto") -> Model:
    """Load the built-in model that has a head. Raises `ModelError`.

    `threads` is the number of cores to use; by default all that this process may.
    """
    return load_model(builtin_folder(head), threads, runtime)
