"""What guards the edges, made from a configuration."""

import resource
import ssl
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.gateway import configuration

from otel_agent_eval.config import Config, loads
from otel_agent_eval.config.exporters import OtlpHttpExporter
from otel_agent_eval.receivers import BulkLimits, GrpcLimits, HttpLimits, OtlpGrpcReceiver, OtlpHttpReceiver
from otel_agent_eval.service import build, edges


def config_of(protocols: Mapping[str, Any] | None = None, **receiver: Any) -> Config:
    made = configuration({"console": {}})
    for protocol, settings in (protocols or {}).items():
        made["receivers"]["otlp"]["protocols"][protocol] |= settings
    made["receivers"]["otlp"] |= receiver
    return loads(yaml.safe_dump(made), "test", {}).config


def test_without_settings_limits_are_those_of_the_receivers() -> None:
    receiver = config_of().receivers["otlp"]
    grpc, http = receiver.protocols.grpc, receiver.protocols.http
    assert grpc is not None
    assert http is not None
    assert edges.grpc_limits(grpc) == GrpcLimits()
    assert edges.http_limits(http) == HttpLimits()
    assert edges.bulk_limits(receiver) == BulkLimits()


def test_nobody_is_asked_anything_unless_that_is_configured() -> None:
    config = config_of()
    receiver = config.receivers["otlp"]
    assert receiver.protocols.grpc is not None
    assert edges.gate(config, receiver.protocols.grpc, edges.meter(receiver)) is None


def test_settings_reach_the_limits() -> None:
    config = config_of(
        protocols={
            "grpc": {
                "max_connections": 7,
                "max_connections_per_client": 3,
                "keepalive": {"server_parameters": {"max_connection_age": "1h"}},
            },
            "http": {"read_header_timeout": "3s", "max_connections_per_client": 5, "max_buffered_bytes": "2MiB"},
        },
        limits={"max_items": 10, "max_decompression_ratio": 100, "bytes_per_second": "1MiB"},
    )
    receiver = config.receivers["otlp"]
    grpc, http = receiver.protocols.grpc, receiver.protocols.http
    assert grpc is not None
    assert http is not None
    options = dict(edges.grpc_limits(grpc).options())
    assert edges.grpc_limits(grpc).connections_per_client == 3
    assert options["grpc.max_allowed_incoming_connections"] == 7
    assert options["grpc.max_connection_age_ms"] == 3_600_000
    limits = edges.http_limits(http)
    assert (limits.header_timeout, limits.connections_per_client, limits.buffered_bytes) == (3.0, 5, 2 << 20)
    assert edges.bulk_limits(receiver) == BulkLimits(items=10, ratio=100)
    assert edges.gate(config, http, edges.meter(receiver)) is not None


@pytest.mark.parametrize(("written", "expected"), [("1.3", ssl.TLSVersion.TLSv1_3), (1.3, ssl.TLSVersion.TLSv1_3)])
def test_versions_of_tls_reach_servers_and_destinations(
    tmp_path: Path, written: str | float, expected: ssl.TLSVersion
) -> None:
    """YAML reads 1.3 without quotes as a number."""
    file = tmp_path / "file"
    file.touch()
    tls = {"cert_file": str(file), "key_file": str(file), "min_version": written}
    made = configuration({"otlphttp": {"endpoint": "https://backend.example", "tls": tls}})
    made["receivers"]["otlp"]["protocols"]["http"]["tls"] = tls
    made["receivers"]["otlp"]["protocols"]["grpc"]["tls"] = tls | {"min_version": "1.2"}
    config = loads(yaml.safe_dump(made), "test", {}).config
    protocols, exporter = config.receivers["otlp"].protocols, config.exporters["otlphttp"]
    assert protocols.grpc is not None
    assert protocols.http is not None
    assert isinstance(exporter, OtlpHttpExporter)
    servers = edges.server_tls(protocols.http.tls), edges.server_tls(protocols.grpc.tls)
    assert [server.min_version for server in servers if server] == [expected, ssl.TLSVersion.TLSv1_2]
    assert edges.client_tls(exporter.tls).min_version is expected


@pytest.fixture
def _low_file_limit() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(512, hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("_low_file_limit")
def test_as_many_files_may_be_open_as_the_system_allows() -> None:
    edges.raise_file_limit()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert soft == hard


@pytest.mark.usefixtures("_low_file_limit")
def test_receivers_take_no_more_connections_than_files_may_be_open(caplog: pytest.LogCaptureFixture) -> None:
    config = config_of(protocols={"http": {"max_connections": 7}})
    never: Any = None  # nothing is received
    made = {type(one): one._limits.connections for one in build.receivers(config, never, never, never)}
    assert made == {OtlpGrpcReceiver: 128, OtlpHttpReceiver: 7}
    told = [vars(record) for record in caplog.records]
    assert [(one["key"], one["max_connections"], one["taken"]) for one in told] == [
        ("receivers.otlp.protocols.grpc.endpoint", 4096, 128)
    ]


@pytest.mark.parametrize(
    ("files", "servers", "most"),
    [(1024, 2, 384), (1024, 1, 768), (300, 1, 150), (300, 0, 150), (resource.RLIM_INFINITY, 2, sys.maxsize)],
)
def test_files_are_left_for_all_else(files: int, servers: int, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (files, files))
    assert edges.share_of_files(servers) == most
