"""Metrics of the answers: scores, evaluations, last failures, errors, and how long a verdict took."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from otel_agent_eval.annotation import catalogue
from otel_agent_eval.annotation.catalogue import ALL_DIMENSIONS, OTHER
from otel_agent_eval.annotation.dimensions import Dimensions, Limits
from otel_agent_eval.annotation.instruments import AnyTable, Distribution, Exemplar, Number, Table, number
from otel_agent_eval.annotation.last_failure import Failure
from otel_agent_eval.annotation.result import EvaluatorInfo, JudgedSpan
from otel_agent_eval.annotation.values import clean
from otel_agent_eval.evaluation.evaluation import Evaluation, Failed, Label, Outcome, Reason, Scored, Skipped, label

SCORE_EDGES: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_DURATION_EDGES: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_HISTOGRAM_EXTRA: Final = 3
"""The series of a histogram beside its edges: the bucket above them, the sum and the count."""
_MAX_ERROR_TYPES: Final = 20
_MAX_ERROR_TYPE_LENGTH: Final = 100
_METRIC: Final = "__name__"
"""The key that tells severe failures from others in the file that keeps them, as Prometheus calls a metric's name."""
_SERVICE: Final = catalogue.SERVICE_NAME.name

_Ending = tuple[str, str, str]
"""Outcome, label and reason, as the counters know them."""
ENDINGS: Final[tuple[_Ending, ...]] = (
    *((Outcome.SCORED, label, "") for label in Label),
    *((Outcome.SKIPPED, "", reason) for reason in Reason),
    (Outcome.FAILED, "", ""),
)
"""The closed list of all ways in which an evaluation can end: each is a series from the start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerMetricsOptions:
    """What the answer metrics count.

    - `evaluators`: the configured evaluators; `thresholds`: all thresholds that their scores can meet, by name.
    - `severe`: by evaluator, from which score on (in its direction) a failed answer is severe; its time is kept apart.
    - `segments`: names of the attributes that are dimensions beside service, agent and model.
    """

    evaluators: tuple[EvaluatorInfo, ...]
    thresholds: Mapping[str, Collection[float]] = field(default_factory=dict)
    severe: Mapping[str, float] = field(default_factory=dict)
    segments: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)


@dataclass(slots=True)
class _Series:
    """The series of one evaluator under one combination of dimensions."""

    score: Distribution
    weighted: Mapping[_Ending, Number]
    raw: Mapping[_Ending, Number]
    last_failure: Number
    last_severe: Number | None


def max_series(options: AnswerMetricsOptions) -> int:
    """Return how many Prometheus series the answer metrics can have at most, with one version of each evaluator."""
    combinations = options.limits.combinations + 2  # without any dimension, and all of them folded
    total = len(catalogue.DIMENSIONS) + len(options.segments) + 1  # overflow
    for info in options.evaluators:
        score = len(_edges(_thresholds(options, info.name))) + _HISTOGRAM_EXTRA
        total += combinations * (score + 2 * len(ENDINGS) + 1 + (info.name in options.severe))
        total += len(_DURATION_EDGES) + _HISTOGRAM_EXTRA + _MAX_ERROR_TYPES + 1
    return total


class AnswerMetrics:
    """Counts verdicts. All series of a combination of dimensions begin at 0 when it is first seen."""

    def __init__(self, options: AnswerMetricsOptions, now: Callable[[], int]) -> None:
        """`now` gives Unix nanoseconds. Raises `ValueError` where a segment cannot be an attribute."""
        self.options = options
        self._now = now
        self._evaluators = options.evaluators
        self._edges = {info.name: _edges(_thresholds(options, info.name)) for info in options.evaluators}
        self._severe = options.severe
        segments = options.segments
        self._overflow = Table(catalogue.OVERFLOW, number)
        self._dimensions = Dimensions(segments, options.limits, lambda name: self._overflow.at(name).add())
        self._overflow.begin((*self._dimensions.names, ALL_DIMENSIONS))
        self._scores = Table(catalogue.SCORES, lambda v: Distribution(self._edges.get(v[0], SCORE_EDGES)), segments)
        self._weighted = Table(catalogue.EVALUATIONS, number, segments)
        self._raw = Table(catalogue.EVALUATIONS_RAW, number, segments)
        self._last_failure = Table(catalogue.LAST_FAILURE, number, segments)
        self._last_severe = Table(catalogue.LAST_SEVERE_FAILURE, number, segments)
        self._errors = Table(catalogue.EVALUATION_ERRORS, number)
        self._error_types: set[str] = set()
        self._durations = Table(catalogue.EVALUATION_DURATION, lambda _: Distribution(_DURATION_EDGES))
        self._series: dict[tuple[str, ...], _Series] = {}
        self._begin(self._dimensions.absent)
        for info in self._evaluators:
            self._durations.at(info.name, info.version)
        for table in self.tables:
            table.began = now()

    @property
    def tables(self) -> tuple[AnyTable, ...]:
        """The numbers, for rendering."""
        return (
            self._scores, self._weighted, self._raw, self._last_failure, self._last_severe, self._errors,
            self._durations, self._overflow,
        )  # fmt: skip

    def record(self, judged: JudgedSpan) -> None:
        """Count each evaluation of each choice, weighted and raw, and note its score or failure."""
        self._record(judged, late=False)

    def record_late(self, judged: JudgedSpan) -> None:
        """Note scores and failures that came after their span had left.

        How those evaluations ended was counted then (`deadline`, `content_not_captured`), and is not counted again.
        """
        self._record(judged, late=True)

    def _record(self, judged: JudgedSpan, *, late: bool) -> None:
        dimensions = self._dimensions_of(judged)
        self._begin(dimensions)
        for choice in judged.verdicts:
            for name, evaluation in choice.items():
                if not late:
                    self._count(judged, judged.evaluators[name], evaluation, dimensions)
                self._note(judged, judged.evaluators[name], evaluation, dimensions)

    def observe_duration(self, evaluator: EvaluatorInfo, seconds: float) -> None:
        """Count how long an evaluator took for one answer."""
        self._durations.at(evaluator.name, evaluator.version).observe(seconds)

    def failures(self) -> Iterator[Failure]:
        """Yield the last failures so far, for the file that keeps them."""
        for table in (self._last_failure, self._last_severe):
            kind = {_METRIC: table.metric.name} if table is self._last_severe else {}
            for values, series in table.items():
                if series.value:
                    yield {**dict(zip(table.attributes, values, strict=True)), **kind}, series.value

    def restore(self, failures: Iterable[Failure]) -> None:
        """Take over the last failures of an earlier run, of the evaluators still configured."""
        configured = {info.name for info in self._evaluators}
        for names, time in failures:
            name = names.get(catalogue.EVALUATION_NAME.name, "")
            severe = _METRIC in names
            if name in (self._severe if severe else configured):
                service, agent, model = (names.get(attribute.name, "") for attribute in catalogue.DIMENSIONS)
                dimensions = self._dimensions.fold(service, agent, model, names)
                self._begin(dimensions)
                series = (self._last_severe if severe else self._last_failure).at(name, *dimensions)
                series.value = max(series.value, time)

    def _count(
        self, judged: JudgedSpan, info: EvaluatorInfo, evaluation: Evaluation, dimensions: tuple[str, ...]
    ) -> None:
        series, ending = self._series_of(info, dimensions), _ending(evaluation)
        exemplar = self._exemplar(judged, evaluation)
        series.weighted[ending].add(judged.weight, exemplar)
        series.raw[ending].add(1, exemplar)

    def _note(
        self, judged: JudgedSpan, info: EvaluatorInfo, evaluation: Evaluation, dimensions: tuple[str, ...]
    ) -> None:
        series = self._series_of(info, dimensions)
        exemplar = self._exemplar(judged, evaluation)
        if isinstance(evaluation, Scored):
            series.score.observe(evaluation.score, judged.weight, exemplar)
            if evaluation.label is Label.FAIL:
                series.last_failure.value = exemplar.time / 1e9
                if series.last_severe is not None and self._is_severe(info, evaluation.score):
                    series.last_severe.value = exemplar.time / 1e9
        elif isinstance(evaluation, Failed):
            self._errors.at(info.name, info.version, self._error_type(evaluation.error_type)).add(1, exemplar)

    def _is_severe(self, info: EvaluatorInfo, score: float) -> bool:
        return label(score, self._severe[info.name], info.direction) is Label.FAIL

    def _exemplar(self, judged: JudgedSpan, evaluation: Evaluation) -> Exemplar:
        value = evaluation.score if isinstance(evaluation, Scored) else 1.0
        return Exemplar(value, self._now(), judged.candidate.trace_id, judged.candidate.span_id)

    def _dimensions_of(self, judged: JudgedSpan) -> tuple[str, ...]:
        candidate = judged.candidate
        if candidate.interactions:
            first = candidate.interactions[0]
            return self._dimensions.fold(first.service, first.agent, first.model, first.segments)
        service = next((p.value.string_value for p in judged.resource.attributes if p.key == _SERVICE), "")
        return self._dimensions.fold(service, candidate.extract.agent, candidate.extract.model, {})

    def _begin(self, dimensions: tuple[str, ...]) -> None:
        for info in self._evaluators:
            self._series_of(info, dimensions)

    def _series_of(self, info: EvaluatorInfo, dimensions: tuple[str, ...]) -> _Series:
        key = (info.name, info.version, *dimensions)
        series = self._series.get(key)
        if series is None:
            judge, where = (info.name, info.version), dimensions
            series = self._series[key] = _Series(
                score=self._scores.at(*key),
                weighted={ending: self._weighted.at(*judge, *ending, *where) for ending in ENDINGS},
                raw={ending: self._raw.at(*judge, *ending, *where) for ending in ENDINGS},
                last_failure=self._last_failure.at(info.name, *where),
                last_severe=self._last_severe.at(info.name, *where) if info.name in self._severe else None,
            )
        return series

    def _error_type(self, name: str) -> str:
        name = clean(name[:_MAX_ERROR_TYPE_LENGTH])
        if name not in self._error_types:
            if len(self._error_types) >= _MAX_ERROR_TYPES:
                return OTHER
            self._error_types.add(name)
        return name


def _thresholds(options: AnswerMetricsOptions, name: str) -> tuple[float, ...]:
    severe = (options.severe[name],) if name in options.severe else ()
    return (*options.thresholds.get(name, ()), *severe)


def _edges(thresholds: Iterable[float]) -> tuple[float, ...]:
    return tuple(sorted({*SCORE_EDGES, *(edge for edge in thresholds if 0 < edge < 1)}))


def _ending(evaluation: Evaluation) -> _Ending:
    match evaluation:
        case Scored():
            return (Outcome.SCORED, evaluation.label, "")
        case Skipped(reason):
            return (Outcome.SKIPPED, "", reason)
        case Failed():
            return (Outcome.FAILED, "", "")
