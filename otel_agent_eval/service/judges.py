"""Who judges answers and by which rules: models, thresholds and metrics, made from the settings of `agent_eval`."""

import asyncio
import logging
import time
from collections.abc import Mapping
from functools import partial

from otel_agent_eval.annotation.answer_metrics import AnswerMetrics, AnswerMetricsOptions
from otel_agent_eval.annotation.dimensions import Limits as DimensionLimits
from otel_agent_eval.annotation.result import EvaluatorInfo, Forms, evaluator_info
from otel_agent_eval.config import AgentEval
from otel_agent_eval.conventions import load_readers
from otel_agent_eval.evaluation.engine import Engine
from otel_agent_eval.evaluation.policy import Policy
from otel_agent_eval.models.process_worker import ProcessWorker
from otel_agent_eval.models.worker import ThreadWorker
from otel_agent_eval.processors.registry import load_evaluators
from otel_agent_eval.service import build
from otel_agent_eval.service.choices import choices
from otel_agent_eval.service.options import ScoringOptions
from otel_agent_eval.service.outbox import Outbox, Send
from otel_agent_eval.service.scoring import Scoring

_log = logging.getLogger(__name__)


class Judges:
    """The evaluators of a gateway and all that judges with them; none without settings.

    `leave` takes what judging sends. Use `start`, then `scoring`, then `drain` and `close`.
    """

    def __init__(self, leave: Send) -> None:
        self.answers = AnswerMetrics(AnswerMetricsOptions(evaluators=()), time.time_ns)
        self.scoring: Scoring | None = None
        self.stuck = False
        """Whether, after `close`, a thread of an evaluator still runs: the process must then end without waiting."""
        self._leave = leave
        self._engine: Engine | None = None
        self._outbox: Outbox | None = None

    @property
    def evaluators(self) -> Mapping[str, EvaluatorInfo]:
        """The evaluators that run, by name."""
        descriptions = self._engine.evaluators if self._engine is not None else {}
        return {name: evaluator_info(description) for name, description in descriptions.items()}

    async def start(self, settings: AgentEval | None, *, events: bool) -> None:
        """Load the models; `events` says whether a logs pipeline carries them. Raises `ModelError`."""
        if settings is None:
            return
        engine = self._engine = await self._started(settings)
        policy = build.policy(settings, {name: info.threshold for name, info in engine.evaluators.items()})
        self.answers = AnswerMetrics(_answer_options(settings, self.evaluators, policy), time.time_ns)
        options = _scoring_options(settings, self.evaluators, policy)
        outbox = self._outbox = Outbox(self._leave, options.forms, events=events)
        assembler = build.assembler(settings, options.readers)
        self.scoring = Scoring(assembler, engine, self.answers, outbox, options)

    async def drain(self, seconds: float) -> None:
        """Judge and send all that is held; what is not done within `seconds` leaves as it is."""
        if self.scoring is not None:
            await self.scoring.drain(seconds)

    async def close(self, seconds: float) -> None:
        """Let go of the models, and send what has gathered; see `stuck` where they do not end within `seconds`."""
        if self._engine is not None:
            try:
                await asyncio.wait_for(self._engine.close(), seconds)
            except TimeoutError:
                self.stuck = True
                _log.error("an evaluator does not end; it is left behind")
        if self._outbox is not None:
            self._outbox.flush()

    async def _started(self, settings: AgentEval) -> Engine:
        worker = ThreadWorker if settings.worker == "thread" else ProcessWorker
        load = partial(load_evaluators, tuple(settings.evaluators), runtime=settings.runtime, choices=choices(settings))

        def observe(name: str, seconds: float) -> None:
            self.answers.observe_duration(evaluator_info(engine.evaluators[name]), seconds)

        engine = Engine([worker(load)], observe=observe)
        await engine.start()
        return engine


def _scoring_options(settings: AgentEval, evaluators: Mapping[str, EvaluatorInfo], policy: Policy) -> ScoringOptions:
    return ScoringOptions(
        mode=settings.mode,
        context_wait=settings.context_wait,
        score_deadline=settings.score_deadline,
        policy=policy,
        evaluators=evaluators,
        matched=frozenset(name for rule in settings.rules for name in rule.match),
        forms=Forms(
            openinference=settings.openinference,
            span_events=settings.events.span_events,
            explanations=settings.events.explanation,
        ),
        readers=load_readers(),
        held_bytes=settings.limits.bytes,
    )


def _answer_options(
    settings: AgentEval, evaluators: Mapping[str, EvaluatorInfo], policy: Policy
) -> AnswerMetricsOptions:
    return AnswerMetricsOptions(
        evaluators=tuple(evaluators.values()),
        thresholds=build.all_thresholds(policy),
        severe=settings.paging_thresholds,
        segments=settings.segments,
        limits=DimensionLimits(values=settings.limits.dimension_values),
    )
