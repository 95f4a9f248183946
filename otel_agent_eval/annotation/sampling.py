"""How many answers a sampled one stands for, by OpenTelemetry's sampling threshold in the trace state."""

import re
from typing import Final

MAX_WEIGHT: Final = 1_000_000.0
"""A sender's claim to have sampled fewer than one in a million is not believed: it would drown every other count."""

_THRESHOLD = re.compile(r"(?:^|;)th:([0-9a-f]{1,14})(?:;|$)")
_RANGE: Final = 1 << 56


def adjusted_count(trace_state: str) -> float:
    """Return `2^56 / (2^56 - threshold)` for the threshold in `ot=th:...`, at most `MAX_WEIGHT`; 1 without a valid one.

    The threshold has up to 14 hexadecimal digits; trailing zeros are left out.
    """
    if "th:" not in trace_state:
        return 1.0
    for member in trace_state.split(","):
        key, _, value = member.strip().partition("=")
        if key == "ot":
            found = _THRESHOLD.search(value)
            threshold = int(found[1].ljust(14, "0"), 16) if found else 0
            return min(_RANGE / (_RANGE - threshold), MAX_WEIGHT)
    return 1.0
