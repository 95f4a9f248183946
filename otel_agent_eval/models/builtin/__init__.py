"""The models that come with the package: no network, no key."""

from importlib.resources import files
from pathlib import Path

from otel_agent_eval.models.model import Model, load_model, read_card
from otel_agent_eval.models.runtime import ModelError
from otel_agent_eval.models.runtimes import Wanted

_CURRENT = "v3"
"""A folder that holds a model, or a folder for each of several."""


def builtin_folder(head: str) -> Path:
    """Return the folder of the built-in model that has a head: `toxicity`, `faithfulness` or `relevance`.

    Raises `ModelError` where none has.
    """
    current = Path(str(files(__name__))) / _CURRENT
    for folder in sorted(path.parent for path in current.rglob("model.json")):
        if head in read_card(folder)["heads"]:
            return folder
    raise ModelError(f"{current} has no model for {head}")


def load_builtin(head: str, threads: int | None = None, runtime: Wanted = "auto") -> Model:
    """Load the built-in model that has a head. Raises `ModelError`.

    `threads` is the number of cores to use; by default all that this process may.
    """
    return load_model(builtin_folder(head), threads, runtime)
