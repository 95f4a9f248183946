"""OpenTelemetry's environment variables for OTLP exporters, read as this configuration's exporters."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from otel_agent_eval.config.values import parse_endpoint
from otel_agent_eval.signals import Signal

_PREFIX = "OTEL_EXPORTER_OTLP_"
_GRPC_PORT = 4317
_FILES = {"ca_file": "CERTIFICATE", "cert_file": "CLIENT_CERTIFICATE", "key_file": "CLIENT_KEY"}


def apply_otlp_environment(config: dict[str, Any], environment: Mapping[str, str]) -> bool:
    """Send each signal of a configuration to where the environment says, if it does, instead of its exporters.

    `config` is changed in place: the plain values of a configuration file. Returns whether the environment names a
    destination; raises ValueError, which names the variable, where one is wrong.
    """
    pipelines = config["service"]["pipelines"]
    destinations: list[tuple[str, dict[str, Any], list[str]]] = []
    for signal in Signal:
        found = _exporter(signal, environment)
        if found is None:
            continue
        same = next((signals for kind, settings, signals in destinations if (kind, settings) == found), None)
        if same is None:
            destinations.append((*found, [signal.value]))
        else:
            same.append(signal.value)
    for kind, settings, signals in destinations:
        name = kind if len(signals) == len(Signal) else f"{kind}/{'_'.join(signals)}"
        config["exporters"][name] = settings
        for key in signals:
            pipelines[key]["exporters"] = [name]
    used = {name for pipeline in pipelines.values() for name in pipeline["exporters"]}
    config["exporters"] = {name: exporter for name, exporter in config["exporters"].items() if name in used}
    return bool(destinations)


def _exporter(signal: Signal, environment: Mapping[str, str]) -> tuple[str, dict[str, Any]] | None:
    """Return type and settings of the exporter for a signal, or None where no endpoint is set."""

    def variable(name: str) -> tuple[str, str]:
        """Return the name of the variable that counts (the signal's own before the general) and its value."""
        own = f"{_PREFIX}{signal.upper()}_{name}"
        used = own if environment.get(own, "").strip() else f"{_PREFIX}{name}"
        return used, environment.get(used, "").strip()

    endpoint_variable, endpoint = variable("ENDPOINT")
    if not endpoint:
        return None
    try:
        port = parse_endpoint(endpoint).address.port
    except ValueError as error:
        raise ValueError(f"{endpoint_variable}: {error}") from None
    settings: dict[str, Any] = {
        "headers": _headers(*variable("HEADERS")),
        "compression": _one_of(variable("COMPRESSION"), ("gzip", "none"), "none"),
        "timeout": _milliseconds(*variable("TIMEOUT")),
        "tls": {key: value for key, name in _FILES.items() if (value := variable(name)[1])},
    }
    default = "grpc" if port == _GRPC_PORT else "http/protobuf"
    protocol = _one_of(variable("PROTOCOL"), ("grpc", "http/protobuf"), default)
    own = endpoint_variable != f"{_PREFIX}ENDPOINT"
    if protocol == "grpc":
        insecure = _one_of(variable("INSECURE"), ("true", "false"), "false") == "true" and "://" not in endpoint
        settings |= {"endpoint": endpoint, "tls": settings["tls"] | {"insecure": insecure}}
        return "otlp", settings
    return "otlphttp", settings | {f"{signal}_endpoint" if own else "endpoint": endpoint}


def _headers(variable: str, text: str) -> dict[str, str]:
    """Read `key=value,key=value` with percent-encoded values."""
    headers = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        name, separator, value = pair.partition("=")
        if not separator or not name.strip():
            raise ValueError(f"{variable}: expected key=value pairs with commas between them")
        headers[unquote(name.strip())] = unquote(value.strip())
    return headers


def _one_of(variable: tuple[str, str], allowed: tuple[str, ...], default: str) -> str:
    name, text = variable
    value = text.lower() or default
    if value not in allowed:
        raise ValueError(f"{name}: expected {' or '.join(allowed)}; got {text!a}")
    return value


def _milliseconds(variable: str, text: str) -> str:
    """Read a timeout, which OpenTelemetry's variables state in milliseconds; 10 s where there is none."""
    if text and not (text.isascii() and text.isdigit() and int(text) > 0):
        raise ValueError(f"{variable}: expected milliseconds, a whole number above 0; got {text!a}")
    return f"{text or 10_000}ms"
