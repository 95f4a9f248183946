"""What no single value shows: names that point nowhere, addresses that meet, files that are missing."""

import socket
from collections.abc import Collection, Iterator, Mapping
from importlib.metadata import entry_points
from itertools import combinations
from pathlib import Path as FilePath

from otel_agent_eval.annotation.dimensions import check_segments
from otel_agent_eval.config import auth_checks, redaction_checks
from otel_agent_eval.config.alerts import Alerts
from otel_agent_eval.config.base import Settings
from otel_agent_eval.config.exporters import Exporter, OtlpHttpExporter
from otel_agent_eval.config.messages import suggestion, unknown_key
from otel_agent_eval.config.problems import Path, path_text
from otel_agent_eval.config.processors import BUILT_IN_EVALUATORS, BUILT_IN_MODEL, AgentEval, Rule
from otel_agent_eval.config.schema import Config, Parts
from otel_agent_eval.config.service import Pipeline, Service
from otel_agent_eval.config.values import Address
from otel_agent_eval.models.pretrained.reference import LocalReference, parse_reference
from otel_agent_eval.signals import Signal

Finding = tuple[Path, str]
_SECTIONS = ("receivers", "processors", "exporters")
_PIPELINES: Path = ("service", "pipelines")


def errors(parts: Parts, names: Mapping[str, Collection[str]]) -> Iterator[Finding]:
    """Yield everything that keeps a configuration from working, though each value alone is right.

    `names` holds the components that each section names, those whose settings are wrong included.
    """
    pipelines = parts.service.pipelines.by_signal() if parts.service else {}
    if parts.service and not pipelines:
        yield _PIPELINES, "a pipeline is missing: traces, logs or metrics"
    for signal, pipeline in pipelines.items():
        yield from _references(signal, pipeline, names)
        yield from _pipeline(signal, pipeline, parts.exporters)
    named = {name for pipeline in pipelines.values() for name in pipeline.processors}
    scoring = sorted(name for name in named if _kind(name) == "agent_eval")
    if len(scoring) > 1:
        yield _PIPELINES, f"one agent_eval serves all pipelines; these name {' and '.join(scoring)}"
    limiting = [name for name in names["processors"] if _kind(name) == "memory_limiter"]
    for name in limiting[1:]:
        yield ("processors", name), f"there is one memory for all pipelines: {limiting[0]} is enough"
    evaluating = {name: settings for name, settings in parts.processors.items() if isinstance(settings, AgentEval)}
    yield from _evaluators(evaluating)
    yield from _missing_models(evaluating)
    if parts.alerts:
        yield from _alerts(parts.alerts, evaluating)
    listeners = _listeners(parts)
    yield from _same_address(listeners)
    yield from _own_address(parts.exporters, listeners)
    if parts.service:
        yield from _own_telemetry(parts.service, listeners)
    yield from auth_checks.errors(parts, names["extensions"])
    yield from redaction_checks.errors(parts, names["processors"])
    for section in (*_SECTIONS, "extensions"):
        for name, settings in getattr(parts, section).items():
            yield from _missing_files(settings, (section, name))
    tls = parts.service.telemetry.metrics.tls if parts.service else None
    if tls is not None:
        yield from _missing_files(tls, ("service", "telemetry", "metrics", "tls"))


def warnings(config: Config) -> Iterator[Finding]:
    """Yield what works but is hardly meant."""
    pipelines = config.service.pipelines.by_signal()
    for section in _SECTIONS:
        used = {name for pipeline in pipelines.values() for name in getattr(pipeline, section)}
        for name in getattr(config, section):
            if name not in used and not (section == "processors" and redaction_checks.is_redaction(name)):
                yield (section, name), "no pipeline names it: it is not started"
    yield from auth_checks.warnings(config)
    yield from redaction_checks.warnings(config)
    if config.agent_eval is None:
        yield _PIPELINES, "the traces pipeline does not name the processor agent_eval: nothing is scored"
    else:
        logs = pipelines.get(Signal.LOGS)
        if logs and logs.receivers and "agent_eval" not in map(_kind, logs.processors):
            message = "agent_eval is not named: content that instrumentations put in log records is not read"
            yield (*_PIPELINES, "logs"), message


def _references(signal: Signal, pipeline: Pipeline, names: Mapping[str, Collection[str]]) -> Iterator[Finding]:
    for section in _SECTIONS:
        path = (*_PIPELINES, signal.value, section)
        given = getattr(pipeline, section)
        for number, name in enumerate(given):
            if name not in names[section]:
                hint = suggestion(name, names[section]) if names[section] else "that section is empty"
                yield (*path, number), f"{name!a} is not defined under {section}; {hint}"
            elif name in given[:number]:
                yield (*path, number), f"{name!a} stands here twice"


def _pipeline(signal: Signal, pipeline: Pipeline, exporters: Mapping[str, Exporter]) -> Iterator[Finding]:
    path = (*_PIPELINES, signal.value)
    if signal is Signal.TRACES and not pipeline.receivers:
        yield path, "receivers are missing: where do the spans come from?"
    kinds = [_kind(name) for name in pipeline.processors]
    if signal is Signal.METRICS and "agent_eval" in kinds:
        yield (*path, "processors"), "agent_eval works on traces and logs: take it out of metrics"
    if "memory_limiter" in kinds[1:]:
        yield (*path, "processors"), "memory_limiter must be the first: what it refuses must not have been taken"
    for number, name in enumerate(pipeline.exporters):
        exporter = exporters.get(name)
        if isinstance(exporter, OtlpHttpExporter) and exporter.url(signal) is None:
            yield (*path, "exporters", number), f"{name} has no URL for {signal}: give it endpoint or {signal}_endpoint"


def _kind(component: str) -> str:
    """Return the type of a component by its name: `type` or `type/name`."""
    return component.partition("/")[0].strip()


def _evaluators(processors: Mapping[str, AgentEval]) -> Iterator[Finding]:
    known = {*BUILT_IN_EVALUATORS, *(point.name for point in entry_points(group="otel_agent_eval.evaluators"))}
    for component, settings in processors.items():
        path: Path = ("processors", component)
        try:
            check_segments(settings.segments)
        except ValueError as error:
            yield (*path, "segments"), str(error)
        for name in settings.evaluators:
            if name not in known:
                yield (*path, "evaluators", name), f"unknown evaluator; {suggestion(name, known)}"
        for number, rule in enumerate(settings.rules):
            for name in rule.evaluators:
                here = (*path, "rules", number, name)
                if name not in settings.evaluators and name in known:
                    yield here, f"the evaluator is not switched on: add {name} under evaluators"
                elif name not in settings.evaluators:
                    yield here, unknown_key(name, [*Rule.model_fields, *settings.evaluators])


def _missing_models(processors: Mapping[str, AgentEval]) -> Iterator[Finding]:
    for component, settings in processors.items():
        for name, evaluator in settings.evaluators.items():
            problem = _missing_model(evaluator.model)
            if problem:
                yield ("processors", component, "evaluators", name, "model"), problem


def _missing_model(model: str) -> str:
    """Say what is wrong with a model that is a path; what is in it shows when it is loaded."""
    reference = parse_reference(model) if model != BUILT_IN_MODEL else None
    if not isinstance(reference, LocalReference):
        return ""
    try:
        reference.path.expanduser().stat()
    except (OSError, RuntimeError) as error:  # RuntimeError: nobody's home
        return f"cannot read {model[:100]!a}: {getattr(error, 'strerror', None) or error}"
    return ""


def _alerts(alerts: Alerts, processors: Mapping[str, AgentEval]) -> Iterator[Finding]:
    evaluators = {name for settings in processors.values() for name in settings.evaluators}
    segments = {name for settings in processors.values() for name in settings.segments}
    for key, name in alerts.evaluators:
        if name not in evaluators and name != key:  # a built-in one that is switched off has no alert
            yield ("alerts", "evaluators", key), f"{name!a} is not under evaluators; {suggestion(name, evaluators)}"
    for segment in alerts.segments:
        if segment not in segments:
            hint = suggestion(segment, segments) if segments else "there are none"
            yield ("alerts", "segments", segment), f"not among the segments of agent_eval; {hint}"


def _listeners(parts: Parts) -> dict[Path, Address]:
    """Return every address that is listened on, receivers that no pipeline names included."""
    found: dict[Path, Address] = {}
    for name, receiver in parts.receivers.items():
        protocols = receiver.protocols
        for protocol, settings in (("grpc", protocols.grpc), ("http", protocols.http)):
            if settings is not None:
                found["receivers", name, "protocols", protocol, "endpoint"] = settings.endpoint
    address = parts.service.telemetry.metrics.address if parts.service else None
    if address is not None:
        found["service", "telemetry", "metrics", "address"] = address
    return found


def _same_address(listeners: Mapping[Path, Address]) -> Iterator[Finding]:
    for (path, address), (other_path, other) in combinations(listeners.items(), 2):
        if address.port and _meet(address, other):
            yield other_path, f"{other} is taken by {path_text(path)}: choose another port"


def _own_address(exporters: Mapping[str, Exporter], listeners: Mapping[Path, Address]) -> Iterator[Finding]:
    for name, exporter in exporters.items():
        for key, endpoint in exporter.endpoints().items():
            own = next((path for path, listener in listeners.items() if _reaches(endpoint.address, listener)), None)
            if own is not None:
                message = f"{endpoint} is this gateway itself ({path_text(own)}): telemetry would go round in circles"
                yield ("exporters", name, key), message


def _own_telemetry(service: Service, listeners: Mapping[Path, Address]) -> Iterator[Finding]:
    telemetry = service.telemetry
    for signal, processors in (("logs", telemetry.logs.processors), ("traces", telemetry.traces.processors)):
        for number, processor in enumerate(processors):
            here: Path = ("service", "telemetry", signal, "processors", number, "batch", "exporter", "otlp")
            otlp = processor.batch.exporter.otlp
            yield from _missing_files(otlp.tls, (*here, "tls"))
            endpoint = otlp.endpoint
            own = next((path for path, listener in listeners.items() if _reaches(endpoint.address, listener)), None)
            if own is not None:
                message = f"{endpoint} is this gateway itself ({path_text(own)}): its {signal} would tell of themselves"
                yield here, message


def _meet(one: Address, other: Address) -> bool:
    """Whether two listeners want the same port of the same interface."""
    same = one.host.lower() == other.host.lower() or (one.loopback and other.loopback)
    return one.port == other.port and (same or one.every_interface or other.every_interface)


def _reaches(target: Address, listener: Address) -> bool:
    """Whether what is sent to `target` arrives at a listener of this machine, as far as names show it."""
    if target.port != listener.port:
        return False
    here = target.loopback or target.every_interface or target.host.lower() == socket.gethostname().lower()
    if listener.every_interface:
        return here
    return target.host.lower() == listener.host.lower() or (here and listener.loopback)


def _missing_files(settings: Settings, path: Path) -> Iterator[Finding]:
    """Yield the files that the settings name, at any depth, and that cannot be read."""
    for key, value in settings:
        if isinstance(value, Settings):
            yield from _missing_files(value, (*path, key))
        elif isinstance(value, FilePath):
            problem = _unreadable(value)
            if problem:
                yield (*path, key), problem


def _unreadable(file: FilePath) -> str:
    try:
        with file.open("rb"):
            return ""
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        return f"cannot read {str(file)!a}: {getattr(error, 'strerror', None) or 'not a file name'}"
