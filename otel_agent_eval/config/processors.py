"""The processor `agent_eval`: what is scored, how, and what is written."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from otel_agent_eval.config.base import Settings
from otel_agent_eval.config.values import Duration, Fraction, Size, shown
from otel_agent_eval.models.pretrained.reference import parse_reference

DEFAULT_PAGING_THRESHOLDS: Mapping[str, float] = {"toxicity": 0.8}
BUILT_IN_MODEL = "builtin"
DEFAULT_EVALUATORS = ("toxicity", "input_toxicity", "faithfulness", "relevance")
BUILT_IN_EVALUATORS = (*DEFAULT_EVALUATORS, "context_relevance")
DEFAULT_PRIORITIES: Mapping[str, int] = {
    "toxicity": 50, "input_toxicity": 40, "faithfulness": 30, "relevance": 20, "context_relevance": 10
}  # fmt: skip
PLUGIN_PRIORITY = 25


def _patterns(value: Any) -> tuple[str, ...]:  # noqa: ANN401 (whatever the file holds)
    """Read one value or a list of them; numbers and booleans as OpenTelemetry writes them in text."""
    values = value if isinstance(value, list | tuple) else [value]
    if not values or any(not isinstance(item, str | int | float) for item in values):
        raise ValueError(f"expected a value or a list of values; got {shown(value)}")
    return tuple(str(item).lower() if isinstance(item, bool) else str(item) for item in values)


Match = Mapping[str, Annotated[tuple[str, ...], BeforeValidator(_patterns)]]


def _model(value: str) -> str:
    """Check the name of a model."""
    if value != BUILT_IN_MODEL:
        parse_reference(value)
    return value


class EvaluatorSettings(Settings):
    """One evaluator."""

    model: Annotated[str, AfterValidator(_model)] = BUILT_IN_MODEL
    """`builtin`: the weights that come with the package; or another model, as `owner/name[@revision]` on the Hugging
    Face hub or as a path such as `./folder`: see [models](models.md)."""
    labels: tuple[str, ...] = ()
    """Of another model the labels that mean toxic (`toxicity`), supported (`faithfulness`; of a classifier of tokens
    unsupported) or relevant (`relevance`); needed where their names do not say it."""
    threshold: Fraction | None = None
    """From which score on an answer fails, in [0, 1]; without it the evaluator's own."""
    paging_threshold: Fraction | None = None
    """From which score on one failed answer wakes somebody, in [0, 1]: the time of the last such answer is a metric.
    Without it 0.8 for `toxicity`, and none for others."""

    priority: Annotated[int, Field(ge=0, le=100)] | None = None
    """Where there are more answers than can be scored in time, evaluators of lower priority are skipped first
    (`overloaded`), those of equal priority from the end of this list. Without it 50 for `toxicity`, 40
    `input_toxicity`, 30 `faithfulness`, 25 plug-ins, 20 `relevance`, 10 `context_relevance`."""


class EvaluatorRule(Settings):
    """What a rule changes for one evaluator."""

    enabled: bool | None = None
    """`false` switches the evaluator off for what the rule matches (`filtered`), `true` on again."""
    threshold: Fraction | None = None
    """The threshold for what the rule matches."""


class Rule(Settings):
    """Thresholds, filters and sampling for a part of the answers. Any further key names an evaluator."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, EvaluatorRule] = Field(init=False)

    match: Match = Field(default_factory=dict)
    """Attributes of the span or its resource and their values: a value, a list of values, `*` for any characters;
    `span.name` is the span's name. All must match; with none the rule holds for everything."""
    skip: bool | None = None
    """`true` scores nothing that the rule matches (`filtered`)."""
    sampling_percentage: Annotated[float, Field(ge=0.0, le=100.0, allow_inf_nan=False)] | None = None
    """How many of the matched traces are scored, in per cent, chosen by trace id (`sampled_out`)."""

    @property
    def evaluators(self) -> Mapping[str, EvaluatorRule]:
        """The changes by evaluator."""
        return self.__pydantic_extra__


class Selector(Settings):
    """Says which spans hold answers for users, where that is not what the gateway would assume."""

    match: Match
    """As in a rule."""
    user_facing: bool
    """`true`: what matches is scored; `false`: it is not (`not_user_facing`)."""


class Limits(Settings):
    """Bounds of what is held in memory; what is evicted is forwarded and counted."""

    traces: Annotated[int, Field(ge=1)] = 20_000
    """Traces that are held or remembered."""
    documents: Annotated[int, Field(ge=1)] = 200_000
    """Retrieved documents that are remembered."""
    bytes: Annotated[Size, Field(ge=1 << 20)] = 256 << 20
    """Content of these traces together."""
    log_bytes: Annotated[Size, Field(ge=1 << 20)] = 64 << 20
    """Content of log records that is remembered for spans to come."""
    dimension_values: Annotated[int, Field(ge=1)] = 100
    """Distinct values of each dimension of the metrics; further values are counted as `__other__`."""


class Events(Settings):
    """The `gen_ai.evaluation.result` events."""

    explanation: bool = False
    """Adds the explanation of each score; it can quote the answer."""
    span_events: bool = False
    """Writes the events on the span, too."""


class AgentEval(Settings):
    """Finds the spans in which an agent answered somebody, scores the answers and writes the scores."""

    mode: Literal["annotate", "side"] = "annotate"
    """`annotate` holds such spans for a moment and writes scores on them; `side` forwards everything at once and
    untouched: scores leave as events and metrics only."""
    evaluators: Mapping[str, EvaluatorSettings] = Field(
        default_factory=lambda: {name: EvaluatorSettings() for name in DEFAULT_EVALUATORS}
    )
    """The evaluators by name: `toxicity`, `input_toxicity`, `faithfulness`, `relevance`, `context_relevance` (do the
    retrieved documents answer the question: about as much work as `faithfulness`) and those that plug-ins add. Only
    those that are named run."""
    segments: tuple[str, ...] = ()
    """Attributes of spans or resources that split the metrics, such as `user.segment`."""
    rules: tuple[Rule, ...] = ()
    """Exceptions. All rules that match hold, in order: what a later one says replaces what an earlier one said."""
    selectors: tuple[Selector, ...] = ()
    """Which spans are user-facing; the first that matches decides."""
    context_wait: Annotated[Duration, Field(le=600)] = 6.0
    """How long a span waits for its content or its documents; longer than the 5 s batches of the SDKs."""
    score_deadline: Annotated[Duration, Field(le=600)] = 5.0
    """How long a span waits for its scores; then it leaves without (`deadline`)."""
    worker: Literal["process", "thread"] = "process"
    """Where the models run: in processes of their own, which are replaced when they crash, hang or are killed; or in a
    thread of the gateway, which takes some 40 MB less, cannot be ended when it hangs, and takes the gateway with it
    when it crashes."""
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    """How many processes hold the models, each all of them: see [overload](overload.md). One uses several cores
    already."""
    worker_timeout: Annotated[Duration, Field(ge=1, le=600)] = 30.0
    """How long a worker may take for a few short answers, or for a step of a long one; then it is ended and started
    again, and what it had is `failed` (`WorkerStuck`)."""
    runtime: Literal["auto", "onnxruntime", "openvino", "torch"] = "auto"
    """What runs the built-in models and other ONNX files. `auto`: OpenVINO where it is installed (the extra `openvino`)
    and gains, which is for models in floats on processors with bf16, else ONNX Runtime; the choice is logged. `torch`
    needs the extra `torch`, and runs the built-in models."""
    limits: Limits = Limits()
    """Bounds of what is held in memory."""
    events: Events = Events()
    """The events written for each evaluation."""
    openinference: bool = False
    """Writes OpenInference's `evaluations.N.evaluation.*` attributes on the span, too."""

    @model_validator(mode="after")
    def _one_thread(self) -> Self:
        if self.worker == "thread" and self.workers > 1:
            raise ValueError("workers: more than one needs worker: process")
        return self

    @property
    def by_priority(self) -> list[str]:
        """The evaluators, the most important first."""
        priorities = {
            name: DEFAULT_PRIORITIES.get(name, PLUGIN_PRIORITY) if evaluator.priority is None else evaluator.priority
            for name, evaluator in self.evaluators.items()
        }
        return sorted(priorities, key=lambda name: -priorities[name])

    @property
    def paging_thresholds(self) -> dict[str, float]:
        """From which score on a failed answer is severe, by evaluator."""
        chosen = {name: evaluator.paging_threshold for name, evaluator in self.evaluators.items()}
        chosen = {name: DEFAULT_PAGING_THRESHOLDS.get(name) if at is None else at for name, at in chosen.items()}
        return {name: at for name, at in chosen.items() if at is not None}
