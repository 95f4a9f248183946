"""The section `service.queue`: where telemetry is kept until it is delivered."""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from otel_agent_eval.config.base import Settings
from otel_agent_eval.config.values import Duration, Size, shown


def _folder(value: object) -> object:
    if isinstance(value, str) and not value.strip():  # it would be the folder in which the gateway was started
        raise ValueError(f"expected a folder; got {shown(value)}")
    return value


class DeadLetters(Settings):
    """Requests that a destination will never take as they are; kept on disk only. The oldest go first."""

    size: Annotated[Size, Field(ge=1 << 20)] = 256 << 20
    """Bytes that are kept for each destination."""
    max_age: Annotated[Duration, Field(gt=0)] = 7 * 86400.0
    """How long they are kept."""


class Queue(Settings):
    """Where telemetry is kept from its acknowledgement until it is delivered."""

    storage: Literal["disk", "memory"] = "disk"
    """`memory` is lost when the process ends."""
    path: Annotated[Path | None, BeforeValidator(_folder)] = None
    """The folder; each gateway of a machine needs its own. Without it `$XDG_STATE_HOME/otel-agent-eval/queue`, where
    XDG_STATE_HOME is `~/.local/state` unless set."""
    size: Annotated[Size, Field(ge=1 << 20)] | None = None
    """Bytes of all its files; when they are used up, senders are asked to come back later. Without it `2GiB` on disk,
    `256MiB` in memory."""
    max_age: Annotated[Duration, Field(gt=0)] = 7 * 86400.0
    """What has waited longer is dropped and counted: content does not stay for ever."""
    fsync: Literal["always", "interval", "never"] = "interval"
    """When data is forced to the disk, which matters only where power fails or the system crashes: `always` before it
    is acknowledged, each second, or when the system likes."""
    dead_letters: DeadLetters = DeadLetters()
    """What destinations will never take."""

    @property
    def bytes(self) -> int:
        """The limit of the whole."""
        return self.size or (2 << 30 if self.storage == "disk" else 256 << 20)

    def folder(self) -> Path:
        """Return the folder. Raises `RuntimeError` where the user has no home."""
        if self.path is not None:
            return self.path.expanduser()
        state = os.environ.get("XDG_STATE_HOME", "")
        base = Path(state) if Path(state).is_absolute() else Path("~/.local/state").expanduser()
        return base / "otel-agent-eval" / "queue"
