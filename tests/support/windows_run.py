"""How many windows a model is given to run."""

from collections.abc import Sequence

import pytest

from otel_agent_eval.models.model import Model
from otel_agent_eval.models.runtime import FloatArray
from otel_agent_eval.models.tokens import Window


def record_runs(model: Model, patch: pytest.MonkeyPatch) -> list[int]:
    """Return a list to which each run of the model adds its number of windows."""
    runs: list[int] = []
    run = model.run

    def record(output: str, windows: Sequence[Window]) -> FloatArray:
        runs.append(len(windows))
        return run(output, windows)

    patch.setattr(model, "run", record)
    return runs
