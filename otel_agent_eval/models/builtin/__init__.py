"""The models that come with the package: no network, no key."""

import os
from importlib.resources import as_file, files

from otel_agent_eval.models.model import Model, load_model

_CURRENT = "v1"


def load_builtin(threads: int | None = None) -> Model:
    """Load the built-in model, which has the heads `toxicity`, `support` and `relevance`. Raises `ModelError`.

    `threads` is the number of cores that one run may use; by default those that this process may run on.
    """
    with as_file(files(__name__) / _CURRENT) as folder:
        return load_model(folder, threads or available_cores())


def available_cores() -> int:
    """Return the number of cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
