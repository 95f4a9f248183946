"""Makes the engine that the settings of `agent_eval` describe, with its workers."""

from functools import partial

from otel_agent_eval.config import AgentEval
from otel_agent_eval.config.service import LogsTelemetry
from otel_agent_eval.evaluation.engine import Engine, Observe
from otel_agent_eval.evaluation.worker import Ended, Worker
from otel_agent_eval.models.process_worker import ProcessWorker
from otel_agent_eval.models.worker import ThreadWorker
from otel_agent_eval.processors.registry import load_evaluators
from otel_agent_eval.service.choices import choices
from otel_agent_eval.service.model_process import load_with_log

_SILENCE = 0.2
"""The share of `worker_timeout` after which a worker that says nothing counts as stuck: deadlines are shorter."""


def make_engine(settings: AgentEval, logs: LogsTelemetry, observe: Observe, ended: Ended) -> Engine:
    """Make an engine; its models are loaded when it starts.

    `logs` says how processes with models log, `ended` is told of those that end before their time.
    """
    silence = _SILENCE * settings.worker_timeout
    return Engine(_workers(settings, logs, ended), observe=observe, order=settings.by_priority, silence=silence)


def _workers(settings: AgentEval, logs: LogsTelemetry, ended: Ended) -> list[Worker]:
    names, chosen = tuple(settings.evaluators), choices(settings)
    if settings.worker == "thread":
        load = partial(load_evaluators, names, runtime=settings.runtime, choices=chosen)
        return [ThreadWorker(load, settings.worker_timeout, ended)]
    load_there = partial(load_with_log, logs.level, logs.encoding, names, settings.runtime, chosen)
    return [ProcessWorker(load_there, settings.worker_timeout, ended) for _ in range(settings.workers)]
