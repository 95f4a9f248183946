"""Makes the parts of a gateway from a configuration."""

from collections.abc import Mapping, Sequence
from functools import partial

from otel_agent_eval.assembly.assembler import Assembler
from otel_agent_eval.assembly.assembler import Limits as AssemblyLimits
from otel_agent_eval.config import (
    AgentEval,
    Config,
    ConsoleExporter,
    OtlpGrpcExporter,
    OtlpHttpExporter,
    PluginExporter,
)
from otel_agent_eval.config.exporters import ClientTls as ClientTlsSettings
from otel_agent_eval.config.exporters import Retry
from otel_agent_eval.config.receivers import ServerTls as ServerTlsSettings
from otel_agent_eval.conventions import read
from otel_agent_eval.conventions.extract import Reader
from otel_agent_eval.delivery import (
    DeadLetters,
    Delivery,
    Destination,
    LetterLimits,
    Observe,
    RetrySettings,
    SendSettings,
)
from otel_agent_eval.evaluation.policy import Change, Policy, Rule
from otel_agent_eval.exporters import Exporter, console, otlp_grpc, otlp_http
from otel_agent_eval.exporters.plugins import load_factory
from otel_agent_eval.exporters.tls import ClientTls
from otel_agent_eval.journal import Folder, Journal, Limits, Lose, QueueError, ReaderLimits
from otel_agent_eval.receivers import Intake, OtlpGrpcReceiver, OtlpHttpReceiver, ServerTls
from otel_agent_eval.receivers import Observe as ObserveRequests
from otel_agent_eval.service.selectors import selector
from otel_agent_eval.signals import Signal, Sink

AGENT_EVAL = "agent_eval"
"""The reader in the journal that judges answers, beside the destinations, which are called as in the configuration."""
_MERGED_BYTES = 1 << 20
"""Well below the 4 MiB that gRPC servers take unless told otherwise."""


def receivers(config: Config, sink: Sink, observe: ObserveRequests) -> list[OtlpGrpcReceiver | OtlpHttpReceiver]:
    """Make the receivers that a pipeline names, each for the signals of the pipelines that name it."""
    named: dict[str, set[Signal]] = {}
    for signal, pipeline in config.service.pipelines.by_signal().items():
        for name in pipeline.receivers:
            named.setdefault(name, set()).add(signal)
    made: list[OtlpGrpcReceiver | OtlpHttpReceiver] = []
    for name, signals in sorted(named.items()):
        settings = config.receivers[name]
        where = f"receivers.{name}.protocols"
        if (grpc := settings.protocols.grpc) is not None:
            intake = Intake(
                sink,
                max_bytes=grpc.max_recv_msg_size_mib << 20,
                metadata_keys=settings.metadata_keys,
                observe=observe,
            )
            key = f"{where}.grpc.endpoint"
            tls = _server_tls(grpc.tls)
            made.append(OtlpGrpcReceiver(intake, str(grpc.endpoint), signals=signals, tls=tls, key=key))
        if (http := settings.protocols.http) is not None:
            intake = Intake(
                sink, max_bytes=http.max_request_body_size, metadata_keys=settings.metadata_keys, observe=observe
            )
            key = f"{where}.http.endpoint"
            tls = _server_tls(http.tls)
            made.append(OtlpHttpReceiver(intake, str(http.endpoint), signals=signals, tls=tls, key=key))
    return made


def destination_signals(config: Config) -> dict[str, frozenset[Signal]]:
    """Return the exporters that a pipeline names, each with the signals that it is sent."""
    found: dict[str, frozenset[Signal]] = {}
    for signal, pipeline in config.service.pipelines.by_signal().items():
        for name in pipeline.exporters:
            found[name] = found.get(name, frozenset()) | {signal}
    return found


def signals_read(config: Config) -> frozenset[Signal]:
    """Return the signals whose pipelines have a processor, so that answers are looked for in them."""
    return frozenset(s for s, pipeline in config.service.pipelines.by_signal().items() if pipeline.processors)


def journal(config: Config, lose: Lose) -> Journal:
    """Make the journal. Raises `QueueError` where there is no place for it."""
    settings = config.service.queue
    readers = {AGENT_EVAL: ReaderLimits()}
    for name in destination_signals(config):
        exporter = config.exporters[name]
        readers[name] = ReaderLimits()
        if isinstance(exporter, OtlpGrpcExporter | OtlpHttpExporter):
            readers[name] = ReaderLimits(exporter.sending_queue.queue_size, exporter.sending_queue.on_full)
    return Journal(
        Limits(size=settings.bytes, max_age=settings.max_age, readers=readers, recalling=frozenset({AGENT_EVAL})),
        queue_folder(config) if settings.storage == "disk" else None,
        fsync=settings.fsync,
        lose=lose,
    )


def queue_folder(config: Config) -> Folder:
    """Return where the queue lies on disk. Raises `QueueError` where there is no place for it."""
    try:
        return Folder(config.service.queue.folder())
    except RuntimeError:
        raise QueueError(
            "there is no home directory to keep the queue in; give service.queue.path, or service.queue.storage: memory"
        ) from None


def delivery(config: Config, journal: Journal, observe: Observe) -> Delivery:
    """Make the destinations. Raises `ValueError` or `PluginError` for what cannot be used."""
    queue = config.service.queue
    letters = None
    if queue.storage == "disk":
        limits = LetterLimits(queue.dead_letters.size, queue.dead_letters.max_age)
        letters = DeadLetters(queue_folder(config), limits)
    destinations = []
    for name, signals in destination_signals(config).items():
        settings = config.exporters[name]
        send, retry = SendSettings(), RetrySettings()
        exporter: Exporter
        if isinstance(settings, ConsoleExporter):
            exporter = console.ConsoleExporter(name)
        elif isinstance(settings, PluginExporter):
            exporter = load_factory(name.split("/")[0])(name, settings.settings)
        else:
            exporter = _otlp(name, settings, signals)
            send = SendSettings(workers=settings.sending_queue.num_consumers, merged_bytes=_MERGED_BYTES)
            retry = _retry(settings.retry_on_failure)
        destinations.append(
            Destination(
                exporter,
                journal.cursor(name),
                signals=signals,
                send=send,
                retry=retry,
                dead_letters=letters,
                observe=observe,
            )
        )
    return Delivery(journal, destinations, letters)


def _retry(settings: Retry) -> RetrySettings:
    return RetrySettings(
        enabled=settings.enabled,
        initial_interval=settings.initial_interval,
        multiplier=settings.multiplier,
        max_interval=settings.max_interval,
        max_elapsed_time=settings.max_elapsed_time,
        jitter=settings.randomization_factor,
    )


def assembler(settings: AgentEval, readers: Sequence[Reader]) -> Assembler:
    """Make the assembler."""
    limits = AssemblyLimits(
        context_wait=settings.context_wait,
        traces=settings.limits.traces,
        documents=settings.limits.documents,
        size=settings.limits.bytes,
        logs_size=settings.limits.log_bytes,
    )
    return Assembler(
        limits,
        reader=partial(read, readers=readers),
        selector=selector(settings),
        segments=settings.segments,
    )


def policy(settings: AgentEval, defaults: Mapping[str, float]) -> Policy:
    """Make the rules by which answers are judged; `defaults` are the evaluators' own thresholds."""
    thresholds = {
        name: defaults[name] if evaluator.threshold is None else evaluator.threshold
        for name, evaluator in settings.evaluators.items()
    }
    rules = [
        Rule(
            match=rule.match,
            skip=rule.skip,
            sampling=None if rule.sampling_percentage is None else rule.sampling_percentage / 100.0,
            evaluators={name: Change(enabled=c.enabled, threshold=c.threshold) for name, c in rule.evaluators.items()},
        )
        for rule in settings.rules
    ]
    return Policy(thresholds, rules)


def all_thresholds(policy: Policy) -> dict[str, set[float]]:
    """Return every threshold that scores can meet, by evaluator: the edges of the metrics' buckets."""
    found = {name: {threshold} for name, threshold in policy.thresholds.items()}
    for rule in policy.rules:
        for name, change in rule.evaluators.items():
            if change.threshold is not None:
                found.setdefault(name, set()).add(change.threshold)
    return found


def _otlp(name: str, settings: OtlpGrpcExporter | OtlpHttpExporter, signals: frozenset[Signal]) -> Exporter:
    gzip = settings.compression == "gzip"
    if isinstance(settings, OtlpGrpcExporter):
        return otlp_grpc.OtlpGrpcExporter(
            name,
            str(settings.endpoint.address),
            insecure=settings.insecure,
            tls=_client_tls(settings.tls),
            headers=settings.headers,
            gzip=gzip,
            timeout=settings.timeout,
        )
    urls = {signal: url for signal in signals if (url := settings.url(signal)) is not None}
    return otlp_http.OtlpHttpExporter(
        name,
        urls,
        tls=_client_tls(settings.tls),
        headers=settings.headers,
        gzip=gzip,
        timeout=settings.timeout,
    )


def _client_tls(settings: ClientTlsSettings) -> ClientTls:
    return ClientTls(ca_file=settings.ca_file, cert_file=settings.cert_file, key_file=settings.key_file)


def _server_tls(settings: ServerTlsSettings | None) -> ServerTls | None:
    if settings is None:
        return None
    return ServerTls(cert_file=settings.cert_file, key_file=settings.key_file, client_ca_file=settings.client_ca_file)
