"""The gateway's own log over OTLP: all of it, without content, never round in circles, and in nobody's way."""

import asyncio
import json
import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import httpx
import pytest
import yaml
from live_gateway import arrived, running
from live_process import Process
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, SeverityNumber
from service_samples import answer, span, traces
from support.gateway import configuration
from support.otlp_sink import UNAVAILABLE, Answer, OtlpSink
from support.processes import free_port, wait_until

from otel_agent_eval import __version__
from otel_agent_eval.config import ConfigError
from otel_agent_eval.config.load import loads
from otel_agent_eval.config.service import Telemetry
from otel_agent_eval.service.log_format import JsonFormatter
from otel_agent_eval.service.own_logs import OwnLogs
from otel_agent_eval.service.reload import ReloadError
from otel_agent_eval.signals import Signal

UNSENT = "logs of the gateway's own cannot be sent"


def to(*endpoints: str, protocol: str = "http/protobuf", **otlp: Any) -> list[dict[str, Any]]:
    return [{"batch": {"exporter": {"otlp": {"endpoint": each, "protocol": protocol, **otlp}}}} for each in endpoints]


@contextmanager
def process(
    sink: OtlpSink, folder: Path, processors: list[dict[str, Any]], level: str = "info", **telemetry: Any
) -> Iterator[Process]:
    exporter = {"endpoint": sink.http_endpoint, "retry_on_failure": {"initial_interval": "100ms"}}
    config = configuration({"otlphttp": exporter}, {"evaluators": {"rudeness": {}}})
    config["service"]["telemetry"]["logs"].update(processors=processors, level=level)
    config["service"]["telemetry"].update(telemetry)
    made = Process(config, folder)
    try:
        made.ready()
        yield made
    finally:
        made.end()


def stop(gateway: Process) -> None:
    gateway.popen.terminate()
    assert gateway.popen.wait(20) == 0


def scoped(sink: OtlpSink) -> list[tuple[str, LogRecord]]:
    """Return the log records that were accepted, each with its scope's name, in the order of their times."""
    found = [
        (scope.scope.name, record)
        for request in sink.accepted(Signal.LOGS)
        for resource in request.message.resource_logs
        for scope in resource.scope_logs
        for record in scope.log_records
    ]
    return sorted(found, key=lambda each: each[1].time_unix_nano)


def plain(value: AnyValue) -> object:
    kind = value.WhichOneof("value")
    return [plain(each) for each in value.array_value.values] if kind == "array_value" else getattr(value, str(kind))


def fields(attributes: Iterator[KeyValue] | Any) -> dict[str, object]:
    return {pair.key: plain(pair.value) for pair in attributes}


def as_lines(sink: OtlpSink) -> list[dict[str, object]]:
    """Return the log records as the gateway writes them to standard error, but for the time."""
    return [
        {
            "level": {"WARN": "warning"}.get(record.severity_text, record.severity_text.lower()),
            "logger": scope,
            "message": record.body.string_value,
            **fields(record.attributes),
        }
        for scope, record in scoped(sink)
    ]


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_what_standard_error_shows_is_sent_from_the_first_line_to_the_last(
    protocol: str, otlp_sink: OtlpSink, tmp_path: Path
) -> None:
    with OtlpSink() as logs:
        endpoint = f"http://{logs.grpc_endpoint}" if protocol == "grpc" else logs.http_endpoint
        with process(otlp_sink, tmp_path, to(endpoint, protocol=protocol)) as gateway:
            assert gateway.send(traces(answer("raise"), span())) == 200
            stop(gateway)
        shown = [{key: value for key, value in line.items() if key != "time"} for line in gateway.records()]
        assert sorted(map(str, as_lines(logs))) == sorted(map(str, shown))
        messages = [line["message"] for line in as_lines(logs)]
        assert messages.index("sending") < messages.index("ready") < messages.index("draining") < len(messages) - 1
        assert messages[-1] == "stopped"
        assert "evaluator failed" in messages  # said in the process of the models
        for request in logs.accepted(Signal.LOGS):
            (resource,) = request.message.resource_logs
            described = fields(resource.resource.attributes)
            assert (described["service.name"], described["service.version"]) == ("otel-agent-eval", __version__)
            assert str(described["service.instance.id"]).endswith(f":{gateway.popen.pid}")
        numbers = {record.severity_number for _, record in scoped(logs)}
        assert numbers == {SeverityNumber.SEVERITY_NUMBER_INFO, SeverityNumber.SEVERITY_NUMBER_WARN}
        assert all(0 < record.time_unix_nano <= record.observed_time_unix_nano + 1_000 for _, record in scoped(logs))
        assert not any(record.body.string_value == "stopped" for record in otlp_sink.logs())


def test_log_traces_and_metrics_bear_the_configured_resource(otlp_sink: OtlpSink, tmp_path: Path) -> None:
    resource = {"service.name": "eu", "service.version": None, "service.instance.id": 7, "deployment.canary": True}
    with OtlpSink() as own:
        spans = {"processors": to(own.http_endpoint), "sampler": {"trace_id_ratio_based": {"ratio": 1}}}
        with process(otlp_sink, tmp_path, to(own.http_endpoint), resource=resource, traces=spans) as gateway:
            assert gateway.send(traces(span())) == 200
            stop(gateway)
        (logs, *_), (made, *_) = own.accepted(Signal.LOGS), own.accepted(Signal.TRACES)
        numbers = otlp_sink.accepted(Signal.METRICS)[0].message
        for group in (*logs.message.resource_logs, *made.message.resource_spans, *numbers.resource_metrics):
            described = fields(group.resource.attributes)
            assert described == {"service.name": "eu", "service.instance.id": 7, "deployment.canary": True}


def test_no_content_reaches_it(otlp_sink: OtlpSink, tmp_path: Path) -> None:
    secrets = ("Xanadu-question", "Xanadu-answer", "Xanadu-header")
    with OtlpSink() as logs:
        with process(otlp_sink, tmp_path, to(logs.http_endpoint)) as gateway:
            gateway.send(traces(answer(f"raise {secrets[1]}", question=secrets[0])))
            otlp_sink.answer(Answer(http=400, message=secrets[1]), times=1)
            url = f"{gateway.endpoint('http')}/v1/traces"
            httpx.post(url, content=secrets[1].encode(), headers={"content-type": "application/x-protobuf"})
            httpx.post(f"{gateway.endpoint('http')}/{secrets[1]}", headers={"authorization": secrets[2]})
            stop(gateway)
        assert {"requests were given up", "evaluator failed"} <= {line["message"] for line in as_lines(logs)}
        bodies = b"".join(request.body for request in logs.requests())
        assert not any(secret.encode() in bodies for secret in secrets)


def test_a_backend_that_is_down_holds_up_nothing_and_hears_of_all_but_itself(
    otlp_sink: OtlpSink, tmp_path: Path
) -> None:
    dead = f"http://127.0.0.1:{free_port()}"
    with OtlpSink() as logs:
        logs.answer(UNAVAILABLE)
        with process(otlp_sink, tmp_path, to(dead, logs.http_endpoint)) as gateway:
            assert gateway.send(traces(span())) == 200
            otlp_sink.wait(Signal.TRACES, 1)
            wait_until(lambda: gateway.log.read_text().count(UNSENT) == 2, 30, UNSENT)
            logs.answer(Answer())
            stop(gateway)
        messages = [line["message"] for line in as_lines(logs)]
        assert {"sending", "listening", "ready", "draining", "stopped"} <= set(messages)
        assert UNSENT not in messages


def test_a_reload_goes_on_sending_at_the_new_level(otlp_sink: OtlpSink, tmp_path: Path) -> None:
    with OtlpSink() as logs:
        with process(otlp_sink, tmp_path, to(logs.http_endpoint), level="warn") as gateway:
            gateway.config["service"]["telemetry"]["logs"]["level"] = "info"
            gateway.file.write_text(yaml.safe_dump(gateway.config))
            gateway.popen.send_signal(signal.SIGHUP)
            wait_until(lambda: "the configuration was reloaded" in gateway.log.read_text(), 30, "the reload")
            stop(gateway)
        messages = [line["message"] for line in as_lines(logs)]
        assert messages[0] == "the configuration was reloaded"
        assert messages[-1] == "stopped"


async def test_where_it_goes_is_read_only_at_start(otlp_sink: OtlpSink) -> None:
    async with running(otlp_sink) as live:
        live.config["service"]["telemetry"]["logs"]["processors"] = to("http://127.0.0.1:1")
        with pytest.raises(ReloadError, match=r"service\.telemetry\.logs\.processors"):
            await live.gateway.reload(loads(yaml.safe_dump(live.config), "test", {}).config)


async def test_a_gateway_that_would_log_into_itself_is_refused(otlp_sink: OtlpSink) -> None:
    async with running(otlp_sink) as live:
        live.config["service"]["telemetry"]["logs"]["processors"] = to(live.http)
        with pytest.raises(ConfigError, match="is this gateway itself"):
            loads(yaml.safe_dump(live.config), "test", {})


@pytest.mark.parametrize("signal", ["logs", "traces"])
@pytest.mark.parametrize(
    ("tls", "message"),
    [
        ({"ca_file": "/no/such.pem"}, r"otlp\.tls\.ca_file: cannot read '/no/such\.pem'"),
        ({"min_version": "1.3"}, r"otlp: tls\.min_version: Python's gRPC speaks TLS 1\.2, too"),
        ({"cert_file": "/no/such.pem"}, "cert_file and key_file go together"),
    ],
)
def test_tls_that_cannot_be_used_is_refused(signal: str, tls: dict[str, str], message: str) -> None:
    config = configuration({"otlphttp": {"endpoint": "http://tempo.example:4318"}})
    processors = to("https://tempo.example:4317", protocol="grpc", tls=tls)
    config["service"]["telemetry"][signal] = {"processors": processors}
    with pytest.raises(ConfigError, match=message):
        loads(yaml.safe_dump(config), "test", {})


@contextmanager
def attached(handler: logging.Handler) -> Iterator[logging.Logger]:
    logger = logging.getLogger("test.own.logs")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield logger
    finally:
        logger.removeHandler(handler)


async def test_an_exception_is_its_type_and_place_and_fields_keep_their_types(
    otlp_sink: OtlpSink, caplog: pytest.LogCaptureFixture
) -> None:
    handler = OwnLogs(Telemetry.model_validate({"logs": {"processors": to(otlp_sink.http_endpoint)}}))
    handler.telemetry.start()
    with attached(handler) as logger:
        try:
            ZoneInfo("Xanadu")
        except ZoneInfoNotFoundError:
            logger.exception("it broke", extra={"times": 3, "share": 0.5, "on": True, "names": ("a", "b"), "no": None})
        logger.critical("%s \ud800", "worse", extra={"path": Path("there"), "long": "x" * 10_000})
        logger.debug("least")
    await handler.telemetry.stop()
    (scope, broke), (_, worse), (_, least) = scoped(otlp_sink)
    assert scope == "test.own.logs"
    found = fields(broke.attributes)
    shown = json.loads(JsonFormatter().format(next(each for each in caplog.records if each.message == "it broke")))
    assert (found["exception.type"], found["at"]) == (shown["exception.type"], shown["at"])
    assert str(found.pop("at")).startswith("_common.py:")
    assert found == {
        "exception.type": "zoneinfo._common.ZoneInfoNotFoundError",
        "times": 3,
        "share": 0.5,
        "on": True,
        "names": ["a", "b"],
    }
    assert worse.body.string_value == "worse ?"
    assert fields(worse.attributes)["path"] == "there"
    assert len(str(fields(worse.attributes)["long"])) == 2_000
    assert [(each.severity_number, each.severity_text) for each in (broke, worse, least)] == [
        (SeverityNumber.SEVERITY_NUMBER_ERROR, "ERROR"),
        (SeverityNumber.SEVERITY_NUMBER_FATAL, "FATAL"),
        (SeverityNumber.SEVERITY_NUMBER_DEBUG, "DEBUG"),
    ]
    assert b"Xanadu" not in b"".join(request.body for request in otlp_sink.requests())


async def test_records_of_all_threads_are_sent_once(otlp_sink: OtlpSink) -> None:
    handler = OwnLogs(Telemetry.model_validate({"logs": {"processors": to(otlp_sink.http_endpoint)}}))
    with attached(handler) as logger:

        def log(number: int) -> None:
            for line in range(100):
                logger.info("line", extra={"worker": number, "line": line})

        threads = [threading.Thread(target=log, args=(number,)) for number in range(16)]
        for thread in threads:
            thread.start()
        handler.telemetry.start()
        for thread in threads:
            await asyncio.to_thread(thread.join, 30)
    await handler.telemetry.stop()
    await arrived(otlp_sink, Signal.LOGS, 1_600)
    sent = [tuple(fields(record.attributes).values()) for _, record in scoped(otlp_sink)]
    assert sorted(sent) == [(number, line) for number in range(16) for line in range(100)]
