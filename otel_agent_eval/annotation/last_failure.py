"""The times of the last failures, kept in a small file: an alert must not forget a toxic answer at a restart."""

import contextlib
import logging
import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, Field

_log = logging.getLogger(__name__)
_MAX_BYTES: Final = 16 * 1024 * 1024
_KEPT_SECONDS: Final = 30 * 24 * 3600
"""Older failures are forgotten at a restart, so that names no longer in use do not hold places under the caps."""

Failure = tuple[Mapping[str, str], float]
"""The attributes of a series, and the Unix time of its last failure."""


class _Series(BaseModel):
    attributes: dict[str, str]
    time: Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _State(BaseModel):
    version: Literal[1]
    series: list[_Series]


class LastFailureFile:
    """Reads and writes the file; mode 0600, since it names services and segments."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._warned = False
        self._saved: list[Failure] = []

    def load(self, now: float) -> list[Failure]:
        """Return what was saved, no time later than `now`; nothing, with one warning, if the file cannot be read."""
        try:
            with self._path.open("rb") as file:
                state = _State.model_validate_json(file.read(_MAX_BYTES), strict=True)
        except FileNotFoundError:
            return []
        except (OSError, ValueError) as error:
            _log.warning(
                "the file of last failures cannot be read and starts anew",
                extra={"path": str(self._path), "error": type(error).__name__},
            )
            return []
        kept = [series for series in state.series if series.time > now - _KEPT_SECONDS]
        self._saved = [(series.attributes, min(series.time, now)) for series in kept]
        return self._saved

    def save(self, failures: Iterable[Failure]) -> bool:
        """Replace the file's content in one step, if it changed: call it often.

        A failure to write is logged once and returns False.
        """
        failures = list(failures)
        if failures == self._saved:
            return True
        state = _State(version=1, series=[_Series(attributes=dict(names), time=time) for names, time in failures])
        try:
            self._replace(state.model_dump_json().encode())
        except OSError as error:
            if not self._warned:
                _log.warning(
                    "the times of last failures cannot be saved; a restart will forget them",
                    extra={"path": str(self._path), "error": type(error).__name__},
                )
            self._warned = True
            return False
        self._warned = False
        self._saved = failures
        return True

    def _replace(self, content: bytes) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=self._path.parent, prefix=self._path.name + ".")  # mode 0600
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            Path(temporary).replace(self._path)
        except OSError:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
            raise
