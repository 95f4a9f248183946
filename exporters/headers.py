"""Headers that both transports can carry."""

import re
from collections.abc import Mapping

from otel_agent_eval.auth import Credentials
from otel_agent_eval.exporters.exporter import Permanent

_NAME = re.compile(r"[0-9a-z_.-]+")
_VALUE = re.compile(r"[\x20-\x7e]*")


def check_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return configured headers with lower-case names. Raises `ValueError` naming the one that cannot be sent."""
    checked = {name.lower(): value for name, value in headers.items()}
    if (wrong := _first_wrong(checked)) is not None:
        raise ValueError(f"header {wrong!r} cannot be sent: names are letters, digits and -._, values printable ASCII")
    return checked


def with_credentials(
    headers: Mapping[str, str], credentials: Credentials | None, metadata: Mapping[str, str]
) -> dict[str, str]:
    """Return the headers of one request: its metadata overrides what is configured. Raises `Permanent`."""
    if _first_wrong(metadata) is not None:
        raise Permanent("InvalidHeader")
    return {**headers, **({"authorization": credentials()} if credentials else {}), **metadata}


def _first_wrong(headers: Mapping[str, str]) -> str | None:
    return next((n for n, value in headers.items() if not (_NAME.fullmatch(n) and _VALUE.fullmatch(value))), None)
