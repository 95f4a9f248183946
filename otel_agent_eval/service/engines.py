"""Makes the engine that the settings of `agent_eval` describe, with its workers."""

from functools import partial

from otel_agent_eval.config import AgentEval
from otel_agent_eval.evaluation.engine import Engine, Observe
from otel_agent_eval.evaluation.worker import Ended, Worker
from otel_agent_eval.models.process_worker import ProcessWorker
from otel_agent_eval.models.worker import ThreadWorker
from otel_agent_eval.processors.registry import load_evaluators
from otel_agent_eval.service.choices import choices

_SILENCE = 0.2
"""The share of `worker_timeout` after which a worker that says nothing counts as stuck: deadlines are shorter."""


def make_engine(settings: AgentEval, observe: Observe, ended: Ended) -> Engine:
    """Make an engine; its models are loaded when it starts.

    `ended` is told of processes with models that end before their time.
    """
    silence = _SILENCE * settings.worker_timeout
    return Engine(_workers(settings, ended), observe=observe, order=settings.by_priority, silence=silence)


def _workers(settings: AgentEval, ended: Ended) -> list[Worker]:
    load = partial(load_evaluators, tuple(settings.evaluators), runtime=settings.runtime, choices=choices(settings))
    if settings.worker == "thread":
        return [ThreadWorker(load, settings.worker_timeout, ended)]
    return [ProcessWorker(load, settings.worker_timeout, ended) for _ in range(settings.workers)]
