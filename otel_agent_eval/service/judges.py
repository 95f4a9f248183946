"""Who judges answers and by which rules: models, thresholds and metrics, made from the settings of `agent_eval`."""

import asyncio
import logging
import time
from collections.abc import Coroutine, Mapping
from typing import NamedTuple

from otel_agent_eval.annotation.answer_metrics import AnswerMetrics, AnswerMetricsOptions
from otel_agent_eval.annotation.dimensions import Limits as DimensionLimits
from otel_agent_eval.annotation.result import EvaluatorInfo, Forms, evaluator_info
from otel_agent_eval.assembly.assembler import Assembler
from otel_agent_eval.config import AgentEval
from otel_agent_eval.conventions import load_readers
from otel_agent_eval.evaluation.engine import Engine
from otel_agent_eval.evaluation.policy import Policy
from otel_agent_eval.evaluation.worker import Ended
from otel_agent_eval.service import build
from otel_agent_eval.service.engines import make_engine
from otel_agent_eval.service.memory import Level
from otel_agent_eval.service.options import ScoringOptions
from otel_agent_eval.service.outbox import Outbox, Send
from otel_agent_eval.service.reload import same_engine
from otel_agent_eval.service.scoring import Scoring
from otel_agent_eval.service.selectors import selector

_LAST_SECONDS = 10.0
"""How long an engine that is replaced may take for what it has begun."""
_LOOK_EVERY = 0.05

_log = logging.getLogger(__name__)


class _Line(NamedTuple):
    """What holds what was received and has not left yet."""

    assembler: Assembler
    scoring: Scoring
    outbox: Outbox


class Judges:
    """The evaluators of a gateway and all that judges with them; none without settings.

    `leave` takes what judging sends, `ended` is told of model workers that end before their time. Use `prepare` and
    `adopt`, again for other settings, then `drain` and `close`.
    What has been received and not judged yet outlives a change of settings.
    """

    def __init__(self, leave: Send, ended: Ended) -> None:
        self.answers = AnswerMetrics(AnswerMetricsOptions(evaluators=()), time.time_ns)
        self.stuck = False
        """Whether, after `close`, a thread of an evaluator still runs: the process must then end without waiting."""
        self._leave = leave
        self._ended = ended
        self._settings: AgentEval | None = None
        self._engine: Engine | None = None
        self._line: _Line | None = None

    @property
    def scoring(self) -> Scoring | None:
        """What takes requests and judges the answers in them."""
        return self._line.scoring if self._line is not None else None

    @property
    def evaluators(self) -> Mapping[str, EvaluatorInfo]:
        """The evaluators that run, by name."""
        descriptions = self._engine.evaluators if self._engine is not None else {}
        return {name: evaluator_info(description) for name, description in descriptions.items()}

    @property
    def workers(self) -> int:
        """The model workers that can judge now."""
        return self._engine.up if self._engine is not None else 0

    @property
    def waiting(self) -> int:
        """The answers that wait for models or are in work."""
        return self._engine.waiting if self._engine is not None else 0

    async def prepare(self, settings: AgentEval | None) -> Engine | None:
        """Return an engine with the models that the settings name: the one there is, or a new one.

        Raises `ModelError`. Only `adopt` changes anything; hand an engine that is not adopted to `discard`.
        """
        if settings is None:
            return None
        if self._settings is not None and same_engine(self._settings, settings):
            return self._engine
        return await self._started(settings)

    async def discard(self, engine: Engine | None) -> None:
        """Close an engine that was prepared, and is not adopted after all."""
        if engine is not None and engine is not self._engine:
            await engine.close()

    def adopt(self, settings: AgentEval | None, engine: Engine | None, *, events: bool) -> Coroutine[None, None, None]:
        """Judge by these settings from now on; `events` says whether a logs pipeline carries them.

        Await what is returned: it waits until the engine of before has judged what it has, and closes it.
        """
        before, line = self._engine, self._line
        self._settings, self._engine = settings, engine
        if settings is None or engine is None:
            self._line = None
            return self._let_go(before, line)
        engine.plan_for(settings.score_deadline)
        policy = build.policy(settings, {name: info.threshold for name, info in engine.evaluators.items()})
        options = _scoring_options(settings, self.evaluators, policy)
        self._count(_answer_options(settings, self.evaluators, policy))
        if line is None:
            outbox = Outbox(self._leave, options.forms, events=events)
            assembler = build.assembler(settings, options.readers)
            self._line = _Line(assembler, Scoring(assembler, engine, self.answers, outbox, options), outbox)
        else:
            limits = build.assembly_limits(settings)
            line.assembler.adopt(limits, selector=selector(settings), segments=settings.segments)
            line.scoring.adopt(engine, self.answers, options)
            line.outbox.adopt(options.forms, events=events)
        return self._let_go(before if before is not engine else None, None)

    def relieve(self, level: Level) -> None:
        """Score nothing more while memory is short; when it is exhausted forget what only might be of use."""
        if self._engine is not None:
            self._engine.admits = level is Level.ENOUGH
            if level is Level.EXHAUSTED:
                self._engine.forget_late()
        if self._line is not None and level is not Level.ENOUGH:
            if level is Level.EXHAUSTED:
                self._line.assembler.relieve()
            self._line.scoring.look()

    async def drain(self, seconds: float) -> None:
        """Judge and send all that is held; what is not done within `seconds` leaves as it is."""
        if self.scoring is not None:
            await self.scoring.drain(seconds)

    async def close(self, seconds: float) -> None:
        """Let go of the models, and send what has gathered; see `stuck` where they do not end within `seconds`."""
        if self._engine is not None:
            await self._close(self._engine, seconds)
        if self._line is not None:
            self._line.outbox.flush()

    async def _close(self, engine: Engine, seconds: float) -> None:
        try:
            await asyncio.wait_for(engine.close(), seconds)
        except TimeoutError:
            self.stuck = True
            _log.error("an evaluator does not end; it is left behind")

    def _count(self, options: AnswerMetricsOptions) -> None:
        """Count answers by these options: if they are others than before, from 0 as after a restart."""
        if options != self.answers.options:
            failures = list(self.answers.failures())
            self.answers = AnswerMetrics(options, time.time_ns)
            self.answers.restore(failures)

    async def _let_go(self, engine: Engine | None, line: _Line | None) -> None:
        if line is not None:
            await line.scoring.drain(_LAST_SECONDS)
            self._count(AnswerMetricsOptions(evaluators=()))
        if engine is not None:
            until = time.monotonic() + _LAST_SECONDS
            while engine.waiting and time.monotonic() < until:  # noqa: ASYNC110 (seldom, and nothing tells)
                await asyncio.sleep(_LOOK_EVERY)
            await self._close(engine, _LAST_SECONDS)

    async def _started(self, settings: AgentEval) -> Engine:
        def observe(name: str, seconds: float) -> None:
            self.answers.observe_duration(evaluator_info(engine.evaluators[name]), seconds)

        engine = make_engine(settings, observe, self._ended)
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
