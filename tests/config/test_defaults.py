"""Without a configuration: embedded defaults, and OpenTelemetry's variables for the destination."""

import pytest

from otel_agent_eval.config import Config, ConfigError, ConsoleExporter, OtlpGrpcExporter, OtlpHttpExporter, load
from otel_agent_eval.signals import Signal

OTLP = "OTEL_EXPORTER_OTLP_"


def config_of(**variables: str) -> Config:
    loaded = load(None, {OTLP + name: value for name, value in variables.items()})
    assert loaded.warnings == ()
    return loaded.config


def message_of(**variables: str) -> str:
    with pytest.raises(ConfigError) as caught:
        config_of(**variables)
    return str(caught.value)


def exporter_of(config: Config, signal: Signal) -> object:
    (name,) = config.service.pipelines.by_signal()[signal].exporters
    return config.exporters[name]


def test_without_variables_all_signals_go_to_the_console() -> None:
    config = config_of()

    assert {signal: type(exporter_of(config, signal)) for signal in Signal} == dict.fromkeys(Signal, ConsoleExporter)
    assert config.agent_eval is not None
    assert config.agent_eval.mode == "annotate"
    assert set(config.agent_eval.evaluators) == {"toxicity", "input_toxicity", "faithfulness", "relevance"}
    protocols = config.receivers["otlp"].protocols
    assert protocols.grpc is not None
    assert protocols.http is not None
    assert (str(protocols.grpc.endpoint), str(protocols.http.endpoint)) == ("127.0.0.1:4317", "127.0.0.1:4318")


def test_one_endpoint_takes_all_signals_over_http() -> None:
    config = config_of(
        ENDPOINT="https://otlp.example/base/", HEADERS="api-key=a%20b%3D,x=y", COMPRESSION="gzip", TIMEOUT="2500"
    )

    (exporter,) = config.exporters.values()
    assert isinstance(exporter, OtlpHttpExporter)
    assert exporter.url(Signal.TRACES) == "https://otlp.example:443/base/v1/traces"
    assert exporter.url(Signal.METRICS) == "https://otlp.example:443/base/v1/metrics"
    assert exporter.headers == {"api-key": "a b=", "x": "y"}
    assert (exporter.compression, exporter.timeout) == ("gzip", 2.5)


@pytest.mark.parametrize(
    ("variables", "insecure"),
    [
        ({"ENDPOINT": "http://tempo:4317"}, True),
        ({"ENDPOINT": "https://tempo:4317"}, False),
        ({"ENDPOINT": "tempo:4317"}, False),
        ({"ENDPOINT": "tempo:4317", "INSECURE": "true"}, True),
        ({"ENDPOINT": "https://tempo:4317", "INSECURE": "true"}, False),
        ({"ENDPOINT": "http://tempo:9999", "PROTOCOL": "grpc"}, True),
    ],
)
def test_grpc_is_spoken_where_it_is_asked_for_or_the_port_is_its_own(variables: dict[str, str], insecure: bool) -> None:
    (exporter,) = config_of(**variables).exporters.values()

    assert isinstance(exporter, OtlpGrpcExporter)
    assert exporter.endpoint.address.host == "tempo"
    assert exporter.insecure is insecure
    assert (exporter.compression, exporter.timeout) == ("none", 10.0)


def test_the_port_decides_only_where_no_protocol_is_given() -> None:
    (exporter,) = config_of(ENDPOINT="http://tempo:4317", PROTOCOL="http/protobuf").exporters.values()

    assert isinstance(exporter, OtlpHttpExporter)


def test_a_signal_of_its_own_goes_elsewhere() -> None:
    config = config_of(
        ENDPOINT="http://tempo:4317",
        METRICS_ENDPOINT="http://prometheus:9090/api/v1/otlp/v1/metrics",
        LOGS_HEADERS="tenant=logs",
        HEADERS="tenant=all",
    )

    metrics, logs, traces = (exporter_of(config, s) for s in (Signal.METRICS, Signal.LOGS, Signal.TRACES))
    assert isinstance(metrics, OtlpHttpExporter)
    assert metrics.url(Signal.METRICS) == "http://prometheus:9090/api/v1/otlp/v1/metrics"
    assert isinstance(logs, OtlpGrpcExporter)
    assert isinstance(traces, OtlpGrpcExporter)
    assert (logs.headers, traces.headers) == ({"tenant": "logs"}, {"tenant": "all"})


def test_a_signal_without_a_destination_stays_on_the_console() -> None:
    config = config_of(TRACES_ENDPOINT="http://tempo:4318/v1/traces")

    assert isinstance(exporter_of(config, Signal.TRACES), OtlpHttpExporter)
    assert isinstance(exporter_of(config, Signal.LOGS), ConsoleExporter)


def test_empty_variables_are_not_set() -> None:
    assert config_of(ENDPOINT=" ", PROTOCOL="", HEADERS="") == config_of()


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (
            {"ENDPOINT": "http://localhost:4317"},
            "with OTEL_EXPORTER_OTLP_*: exporters.otlp.endpoint: http://localhost:4317 is this gateway itself",
        ),
        ({"ENDPOINT": "tempo"}, "environment: OTEL_EXPORTER_OTLP_ENDPOINT: expected host:port or a URL"),
        (
            {"ENDPOINT": "tempo:4318"},
            "exporters.otlphttp: endpoint: expected a URL with its scheme: http://tempo:4318 or https://tempo:4318",
        ),
        (
            {"ENDPOINT": "http://a:1", "TRACES_PROTOCOL": "http/json"},
            "environment: OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: expected grpc or http/protobuf; got 'http/json'",
        ),
        (
            {"ENDPOINT": "http://a:1", "TIMEOUT": "5s"},
            "environment: OTEL_EXPORTER_OTLP_TIMEOUT: expected milliseconds, a whole number above 0; got '5s'",
        ),
        (
            {"ENDPOINT": "http://a:1", "HEADERS": "secret"},
            "environment: OTEL_EXPORTER_OTLP_HEADERS: expected key=value pairs with commas between them",
        ),
        (
            {"ENDPOINT": "http://a:1", "CERTIFICATE": "/no/such/file"},
            "exporters.otlphttp.tls.ca_file: cannot read '/no/such/file': No such file or directory",
        ),
    ],
)
def test_a_wrong_variable_is_named(variables: dict[str, str], message: str) -> None:
    assert message in message_of(**variables)
