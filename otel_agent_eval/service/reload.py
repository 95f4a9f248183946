"""What of a new configuration can take effect while the gateway runs, and what needs a restart."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from otel_agent_eval.config import AgentEval, Config, Loaded
from otel_agent_eval.config.base import Settings
from otel_agent_eval.config.problems import Path, path_text
from otel_agent_eval.config.redaction import Redaction

_LIVE: Final[tuple[Path, ...]] = (
    ("alerts",),
    ("exporters",),
    ("processors",),
    ("service", "pipelines"),
    ("service", "queue", "size"),
    ("service", "queue", "max_age"),
    ("service", "telemetry", "logs", "level"),
    ("service", "telemetry", "logs", "encoding"),
    ("service", "telemetry", "metrics", "interval"),
)
"""What takes effect at once, with all below it. Receivers and extensions are looked at by themselves."""

_RULES: Final = {
    "mode", "segments", "rules", "selectors", "context_wait", "score_deadline", "limits", "events", "openinference"
}  # fmt: skip
_THRESHOLDS: Final = {"threshold", "paging_threshold"}
"""What of the settings of `agent_eval` models know nothing of."""


class ReloadError(Exception):
    """A configuration is right, and cannot take effect without a restart; the message names the keys.

    `key` is the first of them.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self.key = keys[0]
        super().__init__(f"{', '.join(keys)} cannot change while the gateway runs; restart it, or undo that")


@dataclass(slots=True)
class History:
    """Which configuration is in effect since when (Unix seconds), and what became of the last one that was tried."""

    source: str = ""
    digest: str = ""
    since: float = 0.0
    reloads: int = -1  # the first is the start
    last_failed: float = 0.0
    problem: str = ""

    def succeeded(self, loaded: Loaded) -> None:
        """Note that a configuration has taken effect."""
        self.source, self.digest, self.since = loaded.source, loaded.digest, time.time()
        self.reloads += 1
        self.problem = ""

    def failed(self, problem: str) -> None:
        """Note that one was refused, and why, in one line."""
        self.last_failed, self.problem = time.time(), problem


def check(old: Config, new: Config) -> None:
    """Raise `ReloadError` where something has changed that needs a restart."""
    fixed = [path_text(path) for path in needs_restart(old, new)]
    if fixed:
        raise ReloadError(fixed)


def needs_restart(old: Config, new: Config) -> list[Path]:
    """Return the keys that differ and are read only at start."""
    fixed = [path for path in _differences(old, new, ()) if not _is_live(path, old, new)]
    if old.memory_limiter != new.memory_limiter:
        fixed.append(("processors", "memory_limiter"))
    return sorted(fixed, key=path_text)


def same_engine(old: AgentEval, new: AgentEval) -> bool:
    """Whether the models that one asks for serve the other, too."""
    return all(path[0] in _RULES or path[-1] in _THRESHOLDS for path in _differences(old, new, ()))


def _is_live(path: Path, old: Config, new: Config) -> bool:
    match path:
        case ("receivers", str(name), "protocols", str(protocol), *_):
            return not _keeps_listening(old, new, name, protocol)
        case ("receivers", str(name), str()):
            return not any(_keeps_listening(old, new, name, protocol) for protocol in ("grpc", "http"))
        case ("receivers", *_):
            return True
        case ("processors", str(name), *_):
            return all(isinstance(config.processors.get(name), AgentEval | Redaction | None) for config in (old, new))
    return any(path[: len(live)] == live for live in _LIVE)


def _admitted_by(config: Config) -> set[str]:
    """Return the extensions that servers ask who a client is: they are made once."""
    every = [config.service.telemetry.metrics.auth]
    for receiver in config.receivers.values():
        every += [p.auth for p in (receiver.protocols.grpc, receiver.protocols.http) if p is not None]
    return {auth.authenticator for auth in every if auth is not None}


def _keeps_listening(old: Config, new: Config, name: str, protocol: str) -> bool:
    """Whether a receiver's address stays as it is: then so must all that its listener was made with."""
    before, after = (
        getattr(config.receivers[name].protocols, protocol) if name in config.receivers else None
        for config in (old, new)
    )
    return before is not None and after is not None and before.endpoint == after.endpoint


def _differences(old: object, new: object, path: Path) -> Iterator[Path]:
    before, after = _inside(old), _inside(new)
    if before is not None and after is not None:
        for key in dict.fromkeys((*before, *after)):
            yield from _differences(before.get(key), after.get(key), (*path, key))
    elif old != new:
        yield path


def _inside(value: object) -> Mapping[str, object] | None:
    """Return what a section holds by key, None for a single value."""
    if isinstance(value, Settings):
        return dict(value)
    return value if isinstance(value, Mapping) else None
