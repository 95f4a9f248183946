"""Makes the parts of a gateway from a configuration."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from otel_agent_eval.assembly.assembler import Assembler
from otel_agent_eval.assembly.assembler import Limits as AssemblyLimits
from otel_agent_eval.auth import Credentials
from otel_agent_eval.config import (
    AgentEval,
    Config,
    ConsoleExporter,
    OtlpGrpcExporter,
    OtlpHttpExporter,
    PluginExporter,
)
from otel_agent_eval.config.exporters import Retry
from otel_agent_eval.config.memory_limiter import MemoryLimiter as MemoryLimiterSettings
from otel_agent_eval.conventions import read
from otel_agent_eval.conventions.extract import Reader
from otel_agent_eval.delivery import (
    Attempted,
    DeadLetters,
    Destination,
    LetterLimits,
    Measured,
    Observe,
    RetrySettings,
    SendSettings,
)
from otel_agent_eval.evaluation.policy import Change, Policy, Rule
from otel_agent_eval.exporters import Exporter, console, otlp_grpc, otlp_http
from otel_agent_eval.exporters.plugins import load_factory
from otel_agent_eval.journal import Folder, Journal, Limits, Lose, QueueError, ReaderLimits
from otel_agent_eval.receivers import Intake, OtlpGrpcReceiver, OtlpHttpReceiver
from otel_agent_eval.receivers import Observe as ObserveRequests
from otel_agent_eval.service import edges
from otel_agent_eval.service.memory import Level, MemoryLimiter, memory_of_machine
from otel_agent_eval.service.redaction import redacted
from otel_agent_eval.service.selectors import selector
from otel_agent_eval.signals import Signal, Sink

AGENT_EVAL = "agent_eval"
"""The reader in the journal that judges answers, beside the destinations, which are called as in the configuration."""
_MERGED_BYTES = 1 << 20
"""Well below the 4 MiB that gRPC servers take unless told otherwise."""


def receivers(
    config: Config, sink: Sink, observe: ObserveRequests, handshake_failed: Callable[[], None]
) -> list[OtlpGrpcReceiver | OtlpHttpReceiver]:
    """Make the receivers that a pipeline names, each for the signals of the pipelines that name it."""
    named: dict[str, set[Signal]] = {}
    for signal, pipeline in config.service.pipelines.by_signal().items():
        for name in pipeline.receivers:
            named.setdefault(name, set()).add(signal)
    protocols = [config.receivers[name].protocols for name in named]
    most = edges.share_of_files(sum((one.grpc is not None) + (one.http is not None) for one in protocols))
    made: list[OtlpGrpcReceiver | OtlpHttpReceiver] = []
    for name, signals in sorted(named.items()):
        settings = config.receivers[name]
        where = f"receivers.{name}.protocols"
        meter = edges.meter(settings)
        intake = partial(
            Intake,
            sink,
            bulk=edges.bulk_limits(settings),
            metadata_keys=settings.metadata_keys,
            observe=observe,
        )
        if (grpc := settings.protocols.grpc) is not None:
            made.append(
                OtlpGrpcReceiver(
                    intake(max_bytes=grpc.max_recv_msg_size_mib << 20),
                    str(grpc.endpoint),
                    signals=signals,
                    tls=edges.server_tls(grpc.tls),
                    gate=edges.gate(config, grpc, meter),
                    limits=edges.within(edges.grpc_limits(grpc), most, f"{where}.grpc.endpoint"),
                    key=f"{where}.grpc.endpoint",
                )
            )
        if (http := settings.protocols.http) is not None:
            made.append(
                OtlpHttpReceiver(
                    intake(max_bytes=http.max_request_body_size),
                    str(http.endpoint),
                    signals=signals,
                    tls=edges.server_tls(http.tls),
                    gate=edges.gate(config, http, meter),
                    limits=edges.within(edges.http_limits(http), most, f"{where}.http.endpoint"),
                    key=f"{where}.http.endpoint",
                    handshake_failed=handshake_failed,
                )
            )
    return made


def destination_signals(config: Config) -> dict[str, frozenset[Signal]]:
    """Return the exporters that a pipeline names, each with the signals that it is sent."""
    found: dict[str, frozenset[Signal]] = {}
    for signal, pipeline in config.service.pipelines.by_signal().items():
        for name in pipeline.exporters:
            found[name] = found.get(name, frozenset()) | {signal}
    return found


def signals_read(config: Config) -> frozenset[Signal]:
    """Return the signals whose pipelines name `agent_eval`, so that answers are looked for in them."""
    return frozenset(s for s in Signal if any(isinstance(one, AgentEval) for one in config.of_pipeline(s)))


def memory_limiter(config: Config, relieve: Callable[[Level], None]) -> MemoryLimiter | None:
    """Make what watches the memory, or return None where it is not limited."""
    settings = config.memory_limiter
    if settings is None:
        return None
    soft, hard = settings.bounds(memory_of_machine())
    return MemoryLimiter(soft, hard, relieve, interval=settings.check_interval)


def signals_limited(config: Config) -> frozenset[Signal]:
    """Return the signals whose pipelines name `memory_limiter`, so that they are refused while memory is short."""
    return frozenset(s for s in Signal if any(isinstance(one, MemoryLimiterSettings) for one in config.of_pipeline(s)))


def journal(config: Config, lose: Lose) -> Journal:
    """Make the journal. Raises `QueueError` where there is no place for it."""
    settings = config.service.queue
    folder = queue_folder(config) if settings.storage == "disk" else None
    return Journal(journal_limits(config), folder, fsync=settings.fsync, lose=lose)


def journal_limits(config: Config) -> Limits:
    """Return how much the journal keeps, and for whom."""
    settings = config.service.queue
    readers = {AGENT_EVAL: ReaderLimits()}
    for name in destination_signals(config):
        exporter = config.exporters[name]
        readers[name] = ReaderLimits()
        if isinstance(exporter, OtlpGrpcExporter | OtlpHttpExporter):
            readers[name] = ReaderLimits(exporter.sending_queue.queue_size, exporter.sending_queue.on_full)
    return Limits(size=settings.bytes, max_age=settings.max_age, readers=readers, recalling=frozenset({AGENT_EVAL}))


def queue_capacities(config: Config) -> dict[str, int]:
    """Return how many bytes may wait for each destination."""
    readers, whole = journal_limits(config).readers, config.service.queue.bytes
    return {name: readers[name].bytes or whole for name in destination_signals(config)}


def queue_folder(config: Config) -> Folder:
    """Return where the queue lies on disk. Raises `QueueError` where there is no place for it."""
    try:
        return Folder(config.service.queue.folder())
    except RuntimeError:
        raise QueueError(
            "there is no home directory to keep the queue in; give service.queue.path, or service.queue.storage: memory"
        ) from None


def destination_settings(config: Config, name: str) -> object:
    """Return all that a destination is made from: it is made anew when that changes."""
    exporter = config.exporters[name]
    auth = exporter.auth if isinstance(exporter, OtlpGrpcExporter | OtlpHttpExporter) else None
    authenticator = auth and config.extensions[auth.authenticator]
    return exporter, destination_signals(config)[name], authenticator, config.redaction_of(name)


def dead_letters(config: Config) -> DeadLetters | None:
    """Make the place for what destinations never take, None where the queue is in memory."""
    queue = config.service.queue
    if queue.storage == "memory":
        return None
    return DeadLetters(queue_folder(config), LetterLimits(queue.dead_letters.size, queue.dead_letters.max_age))


def destination(
    config: Config,
    name: str,
    journal: Journal,
    letters: DeadLetters | None,
    observe: Observe,
    attempted: Attempted,
) -> Destination:
    """Make a destination. Raises `ValueError` or `PluginError` for what cannot be used."""
    settings, signals = config.exporters[name], destination_signals(config)[name]
    send, retry = SendSettings(), RetrySettings()
    exporter: Exporter
    if isinstance(settings, ConsoleExporter):
        exporter = console.ConsoleExporter(name)
    elif isinstance(settings, PluginExporter):
        exporter = load_factory(name.partition("/")[0])(name, settings.settings)
    else:
        exporter = _otlp(name, settings, signals, edges.credentials(config, settings.auth))
        send = SendSettings(workers=settings.sending_queue.num_consumers, merged_bytes=_MERGED_BYTES)
        retry = _retry(settings.retry_on_failure)
    return Destination(
        redacted(config, Measured(exporter, attempted)),
        journal.cursor(name),
        signals=signals,
        send=send,
        retry=retry,
        dead_letters=letters,
        observe=observe,
    )


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
    return Assembler(
        assembly_limits(settings),
        reader=partial(read, readers=readers),
        selector=selector(settings),
        segments=settings.segments,
    )


def assembly_limits(settings: AgentEval) -> AssemblyLimits:
    """Return how long assembly waits and how much it keeps."""
    return AssemblyLimits(
        context_wait=settings.context_wait,
        traces=settings.limits.traces,
        documents=settings.limits.documents,
        size=settings.limits.bytes,
        logs_size=settings.limits.log_bytes,
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


def _otlp(
    name: str,
    settings: OtlpGrpcExporter | OtlpHttpExporter,
    signals: frozenset[Signal],
    credentials: Credentials | None,
) -> Exporter:
    gzip = settings.compression == "gzip"
    if isinstance(settings, OtlpGrpcExporter):
        return otlp_grpc.OtlpGrpcExporter(
            name,
            str(settings.endpoint.address),
            insecure=settings.insecure,
            tls=edges.client_tls(settings.tls),
            credentials=credentials,
            headers=settings.headers,
            gzip=gzip,
            timeout=settings.timeout,
        )
    urls = {signal: url for signal in signals if (url := settings.url(signal)) is not None}
    return otlp_http.OtlpHttpExporter(
        name,
        urls,
        tls=edges.client_tls(settings.tls),
        credentials=credentials,
        headers=settings.headers,
        gzip=gzip,
        timeout=settings.timeout,
    )
