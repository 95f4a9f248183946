"""PromQL that the rules are put together from. Every division is by what is above 0, so nothing becomes NaN."""

from collections.abc import Iterable
from typing import Final

LOOKBACK: Final = 300.0
"""Seconds after which Prometheus forgets a sample: what is recorded must be recorded more often."""


def duration(seconds: float) -> str:
    """Write seconds as Prometheus does: `1h`, `7d`, `90s`."""
    for unit, length in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:.0f}{unit}"
    return f"{seconds:.0f}s" if seconds == int(seconds) else f"{seconds * 1000:.0f}ms"


def quoted(text: str) -> str:
    """Return a text as a string of PromQL."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def pattern(values: Iterable[str]) -> str:
    """Return a regular expression (as a string of PromQL) that matches exactly these values.

    The syntax is RE2's, in which a backslash before a letter has a meaning of its own: only punctuation is escaped.
    """
    return quoted("|".join("".join(f"\\{c}" if c in r"\.+*?()|[]{}^$" else c for c in value) for value in values))


def series(metric: str, *matchers: str) -> str:
    """Return a selector; empty matchers are left out."""
    return f"{metric}{{{','.join(matcher for matcher in matchers if matcher)}}}"


def increase(selector: str, window: float, by: Iterable[str]) -> str:
    """Return how much counters grew over a window, each by itself (restarts are no loss), then summed."""
    return f"sum by ({', '.join(by)}) (increase({selector}[{duration(window)}]))"


def wilson(share: str, total: str, z: float, side: str) -> str:
    """Return one end of Wilson's interval for a share: `side` is `-` for the lower, `+` for the upper end.

    `share` and `total` have the same labels, and `total` is above 0.
    """
    spread = f"sqrt(clamp_min({share} * (1 - {share}), 0) / {total} + {z * z / 4:.6g} / {total} ^ 2)"
    return f"({share} + {z * z / 2:.6g} / {total} {side} {z:.6g} * {spread}) / (1 + {z * z:.6g} / {total})"


def any_of(expressions: Iterable[str]) -> str:
    """Return the union of several results."""
    return "\nor\n".join(expressions)
