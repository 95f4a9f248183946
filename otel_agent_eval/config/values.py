"""Values that a configuration states as text: durations, sizes, addresses, endpoints."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, PlainValidator

_DURATION_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
_DURATION = re.compile(rf"-?(?:{_DURATION_PART.pattern})+")
_SIZE_UNITS = {"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_SIZE = re.compile(r"(\d{1,15})\s*(B|KiB|MiB|GiB|)")
_MAX_PORT = 65535
_WILDCARDS = frozenset({"0.0.0.0", "::"})  # noqa: S104 (compared with, not bound to)
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Unit:
    """What a plain number stands for, so that the reference can name it: `duration` (seconds) or `size` (bytes)."""

    name: str


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """A host and a port to listen on; port 0 lets the system choose. IPv6 hosts are held without brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def every_interface(self) -> bool:
        """Whether this listens on all interfaces."""
        return self.host in _WILDCARDS

    @property
    def loopback(self) -> bool:
        """Whether this is only reached from the same machine."""
        return self.host == "::1" or self.host.startswith("127.") or self.host.lower() == "localhost"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where telemetry is sent: `scheme` is `""` for a bare host:port, `path` has no slash at its end."""

    scheme: Literal["", "http", "https"]
    address: Address
    path: str = ""
    query: str = ""

    def __str__(self) -> str:
        start = f"{self.scheme}://" if self.scheme else ""
        end = f"?{self.query}" if self.query else ""
        return f"{start}{self.address}{self.path}{end}"


def parse_duration(value: Any) -> float:  # noqa: ANN401 (whatever the file holds)
    """Read a duration such as `500ms` or `1m30s` as seconds, or raise ValueError."""
    text = str(value)
    if text == "0":
        return 0.0
    if not isinstance(value, str) or not _DURATION.fullmatch(text):
        hint = f', for example "{text}s"' if re.fullmatch(r"\d+(\.\d+)?", text) else ", for example 500ms, 6s or 1m30s"
        raise ValueError(f"expected a duration with its unit{hint}; got {shown(value)}")
    if text.startswith("-"):
        raise ValueError(f"a duration cannot be negative; got {shown(value)}")
    return sum(float(number) * _DURATION_UNITS[unit] for number, unit in _DURATION_PART.findall(text))


def parse_size(value: Any) -> int:  # noqa: ANN401 (whatever the file holds)
    """Read a size such as `64MiB`, or a number of bytes, or raise ValueError."""
    match = None if isinstance(value, bool) else _SIZE.fullmatch(str(value))
    if match is None:
        raise ValueError(f"expected a size in bytes, or with a unit such as 64MiB; got {shown(value)}")
    return int(match[1]) * _SIZE_UNITS[match[2]]


def parse_address(value: Any) -> Address:  # noqa: ANN401 (whatever the file holds)
    """Read `host:port` to listen on, or raise ValueError."""
    if isinstance(value, Address):
        return value
    text = value if isinstance(value, str) else ""
    host, port = _host_and_port(text)
    if "://" in text:
        raise ValueError(f"expected host:port without a scheme, for example 127.0.0.1:4317; got {shown(value)}")
    if port is None:
        raise ValueError(f"expected host:port, for example 127.0.0.1:4317; got {shown(value)}")
    if not host:
        raise ValueError(f"expected host:port; write 127.0.0.1:{port}, or 0.0.0.0:{port} for every interface")
    return Address(host, _port(port))


def parse_endpoint(value: Any) -> Endpoint:  # noqa: ANN401 (whatever the file holds)
    """Read `host:port` or an http(s) URL to send to, or raise ValueError."""
    if isinstance(value, Endpoint):
        return value
    expected = f"expected host:port or a URL such as https://tempo.example.com:4318; got {shown(value)}"
    if not isinstance(value, str) or not value or any(c.isspace() or not c.isprintable() for c in value):
        raise ValueError(expected)
    if "://" not in value:
        host, port = _host_and_port(value)
        if not host or port is None:
            raise ValueError(expected)
        return Endpoint("", Address(host, _port(port, lowest=1)))
    try:
        url = urlsplit(value)
        host, user = url.hostname or "", url.username
    except ValueError:  # brackets that do not match
        raise ValueError(expected) from None
    scheme = url.scheme.lower()
    if scheme not in ("http", "https"):
        raise ValueError(f"expected a URL of http or https; got {shown(value)}")
    if user is not None:
        raise ValueError("a URL cannot hold user and password; put them in headers: {authorization: ...}")
    port = _host_and_port(url.netloc)[1]
    if not host or url.fragment:
        raise ValueError(expected)
    number = _DEFAULT_PORTS[scheme] if port is None else _port(port, lowest=1)
    return Endpoint(
        "https" if scheme == "https" else "http", Address(host, number), url.path.rstrip("/"), query=url.query
    )


def format_duration(seconds: float) -> str:
    """Write seconds as configurations do: `1m30s`, `500ms`."""
    if seconds and seconds < 1:
        return f"{seconds * 1000:g}ms"
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    parts = [f"{number:g}{unit}" for number, unit in ((hours, "h"), (minutes, "m"), (rest, "s")) if number]
    return "".join(parts) or "0s"


def format_size(size: int) -> str:
    """Write bytes with the largest unit that keeps the number whole: `64MiB`."""
    for unit in ("GiB", "MiB", "KiB"):
        if size and size % _SIZE_UNITS[unit] == 0:
            return f"{size // _SIZE_UNITS[unit]}{unit}"
    return str(size)


def shown(value: Any) -> str:  # noqa: ANN401 (whatever the file holds)
    """Quote a value for a message, shortened; a mapping or a list is only named."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    if not isinstance(value, str):
        return str(value).lower() if isinstance(value, bool) else str(value)
    limit = 60
    return ascii(value if len(value) <= limit else value[:limit] + "...")


def _host_and_port(text: str) -> tuple[str, str | None]:
    """Split `host:port` or `[host]:port`; the port is None where there is none."""
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/\[\]]*))(?::([^:/]*))?", text)
    return (match[1] or match[2] or "", match[3]) if match else ("", None)


def _port(text: str, lowest: int = 0) -> int:
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or not lowest <= int(text) <= _MAX_PORT:
        raise ValueError(f"a port is a number from {lowest} to {_MAX_PORT}; got {shown(text)}")
    return int(text)


Duration = Annotated[float, PlainValidator(parse_duration), Unit("duration")]
"""Seconds; written `500ms`, `6s`, `1m30s`."""

Size = Annotated[int, PlainValidator(parse_size), Unit("size")]
"""Bytes; written `64MiB` or as a plain number."""

ListenAddress = Annotated[Address, PlainValidator(parse_address)]
Destination = Annotated[Endpoint, PlainValidator(parse_endpoint)]
Fraction = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
