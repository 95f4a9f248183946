"""`otel-agent-eval validate`: is this configuration right, and what would it do?"""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from otel_agent_eval.commands.configuration import loaded
from otel_agent_eval.config import AgentEval, Config
from otel_agent_eval.config.memory_limiter import MemoryLimiter
from otel_agent_eval.config.own_telemetry import OwnProcessor
from otel_agent_eval.config.values import format_size
from otel_agent_eval.service.memory import memory_of_machine
from otel_agent_eval.signals import Signal

_WITHOUT_PIPELINE = {
    Signal.TRACES: "no pipeline: they are refused, and nothing is scored",
    Signal.LOGS: "no pipeline: they are refused, content in them is not read, and scores do not leave as events",
    Signal.METRICS: "no pipeline: they are refused, and those of scores are not pushed",
}


def validate(path: Path | None) -> None:
    """Print the pipelines of a configuration; exit with 1 where it is wrong."""
    found = loaded(path)
    sys.stdout.write(f"valid: {found.source}\n" + "".join(f"  {line}\n" for line in _summary(found.config)))


def _summary(config: Config) -> Iterator[str]:
    """Yield a line for each signal: where from, through what, where to."""
    pipelines = config.service.pipelines.by_signal()
    for signal, effect in _WITHOUT_PIPELINE.items():
        pipeline = pipelines.get(signal)
        if pipeline is None:
            yield f"{signal + ':':8} {effect}"
            continue
        steps = [
            ", ".join(_receiver(config, name) for name in pipeline.receivers) or "(only the gateway's own)",
            *(_processor(config, name, signal) for name in pipeline.processors),
            ", ".join(_exporter(config, name, signal) for name in pipeline.exporters),
        ]
        yield f"{signal + ':':8} {' -> '.join(steps)}"
    yield f"queue: {_queue(config)}"
    address = config.service.telemetry.metrics.address
    yield f"/metrics, /status, /healthz, /readyz: {address or 'off'}"
    telemetry = config.service.telemetry
    yield f"the gateway's own log: {', '.join(['standard error', *_own(telemetry.logs.processors, Signal.LOGS)])}"
    yield f"the gateway's own traces: {', '.join(_own(telemetry.traces.processors, Signal.TRACES)) or 'off'}"


def _own(processors: Iterable[OwnProcessor], signal: Signal) -> Iterator[str]:
    """Yield where telemetry of the gateway's own goes."""
    for processor in processors:
        otlp = processor.batch.exporter.otlp
        yield otlp.url(signal).partition("?")[0] if otlp.protocol != "grpc" else str(replace(otlp.endpoint, query=""))


def _queue(config: Config) -> str:
    settings = config.service.queue
    limit = format_size(settings.bytes)
    if settings.storage == "memory":
        return f"in memory, {limit}"
    try:
        return f"{settings.folder()}, {limit}, fsync {settings.fsync}"
    except RuntimeError:
        return "no place for it, there is no home directory: give service.queue.path"


def _receiver(config: Config, name: str) -> str:
    protocols = config.receivers[name].protocols
    addresses = {"grpc": protocols.grpc, "http": protocols.http}
    spoken = [
        f"{protocol} {settings.endpoint}{' with TLS' if settings.tls else ''}"
        for protocol, settings in addresses.items()
        if settings is not None
    ]
    return f"{name} ({', '.join(spoken)})"


def _processor(config: Config, name: str, signal: Signal) -> str:
    settings = config.processors[name]
    if isinstance(settings, MemoryLimiter):
        soft, hard = (limit >> 20 for limit in settings.bounds(memory_of_machine()))
        return f"{name} ({soft} of {hard} MiB)"
    if signal is Signal.LOGS or not isinstance(settings, AgentEval):
        return f"{name} (reads content)"
    return f"{name} ({settings.mode}: {', '.join(settings.evaluators) or 'no evaluator'})"


def _exporter(config: Config, name: str, signal: Signal) -> str:
    endpoints = config.exporters[name].endpoints()
    endpoint = endpoints.get(f"{signal}_endpoint") or endpoints.get("endpoint")
    redaction = config.redaction_of(name)
    redacted = f"{config.exporters[name].redaction}: content {redaction.content}" if redaction is not None else ""
    shown = str(replace(endpoint, query="")) if endpoint else ""  # a query can hold a secret
    said = ", ".join(part for part in (shown, redacted) if part)
    return f"{name} ({said})" if said else name
