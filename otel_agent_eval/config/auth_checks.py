"""What no single value shows about who may send: names of extensions, plain text, addresses that others reach."""

from collections.abc import Collection, Iterator, Mapping

from otel_agent_eval.config.exporters import OtlpGrpcExporter, OtlpHttpExporter
from otel_agent_eval.config.extensions import Auth, BasicAuth, Extension
from otel_agent_eval.config.messages import suggestion
from otel_agent_eval.config.problems import Path, path_text
from otel_agent_eval.config.receivers import GrpcProtocol, HttpProtocol
from otel_agent_eval.config.schema import Config, Parts
from otel_agent_eval.config.service import MetricsTelemetry

_Server = GrpcProtocol | HttpProtocol | MetricsTelemetry


def errors(parts: Parts, names: Collection[str]) -> Iterator[tuple[Path, str]]:
    """Yield what is wrong with the extensions that others name; `names` holds all that are defined."""
    for path, auth, serves in _uses(parts):
        yield from _wrong(path, auth, parts.extensions, names, serves=serves)
    for number, name in enumerate(parts.service.extensions if parts.service else ()):
        if name not in names:
            yield ("service", "extensions", number), _undefined(name, names)


def warnings(config: Config) -> Iterator[tuple[Path, str]]:
    """Yield what works but is hardly meant."""
    parts = Parts(
        extensions=config.extensions,
        receivers=config.receivers,
        processors=config.processors,
        exporters=config.exporters,
        service=config.service,
    )
    used = {auth.authenticator for _, auth, _ in _uses(parts)}
    for name in config.extensions:
        if name not in used:
            yield ("extensions", name), "nothing names it under auth: nobody is asked for it"
    for name, exporter in config.exporters.items():
        if isinstance(exporter, OtlpGrpcExporter | OtlpHttpExporter) and exporter.auth is not None:
            plain = isinstance(exporter, OtlpGrpcExporter) and exporter.insecure
            for endpoint in exporter.endpoints().values():
                if (plain or endpoint.scheme == "http") and not endpoint.address.loopback:
                    yield (
                        ("exporters", name, "auth"),
                        f"what it sends to {endpoint.address} is plain text: use TLS",
                    )


def exposed(config: Config) -> tuple[list[str], list[str]]:
    """Return the keys of servers that others than this machine reach: those without TLS, those for everybody."""
    beyond = [(path, server) for path, server in _servers(config) if _reached(server)]
    without_tls = [path_text(path) for path, server in beyond if server.tls is None]
    for_everybody = [
        path_text(path)
        for path, server in beyond
        if server.auth is None and (server.tls is None or server.tls.client_ca_file is None)
    ]
    return without_tls, for_everybody


def _wrong(
    path: Path, auth: Auth, extensions: Mapping[str, Extension], names: Collection[str], *, serves: bool
) -> Iterator[tuple[Path, str]]:
    key = (*path, "authenticator")
    name = auth.authenticator
    if name not in names:
        yield key, _undefined(name, names)
        return
    extension = extensions.get(name)
    if isinstance(extension, BasicAuth):
        missing = "htpasswd" if serves else "client_auth"
        if getattr(extension, missing) is None:
            yield key, f"{name} has no {missing}: it does not say {'who may send' if serves else 'who we are'}"


def _undefined(name: str, names: Collection[str]) -> str:
    return f"{name!a} is not defined under extensions; {suggestion(name, names) if names else 'that section is empty'}"


def _uses(parts: Parts) -> Iterator[tuple[Path, Auth, bool]]:
    """Yield where extensions are named, and whether that is a server."""
    for path, server in _servers(parts):
        if server.auth is not None:
            yield (*path, "auth"), server.auth, True
    for name, exporter in parts.exporters.items():
        if isinstance(exporter, OtlpGrpcExporter | OtlpHttpExporter) and exporter.auth is not None:
            yield ("exporters", name, "auth"), exporter.auth, False


def _servers(config: Config | Parts) -> Iterator[tuple[Path, _Server]]:
    for name, receiver in config.receivers.items():
        for protocol, server in (("grpc", receiver.protocols.grpc), ("http", receiver.protocols.http)):
            if server is not None:
                yield ("receivers", name, "protocols", protocol), server
    if config.service is not None:
        yield ("service", "telemetry", "metrics"), config.service.telemetry.metrics


def _reached(server: _Server) -> bool:
    address = server.address if isinstance(server, MetricsTelemetry) else server.endpoint
    return address is not None and not address.loopback
