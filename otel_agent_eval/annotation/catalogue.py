"""Every attribute, event and metric name that the gateway writes: the one source of code, tests and docs/telemetry.md.

A name under `agent_eval.` is written nowhere else in the package. Metric names follow OpenTelemetry's rules, and their
Prometheus names follow from them by the standard translation, so a rule works on scraped and on pushed metrics alike.
"""

from enum import StrEnum
from typing import Final

from otel_agent_eval.annotation.definitions import (
    Attribute,
    EvaluatorAttribute,
    Event,
    Instrument,
    Metric,
    Stability,
    Type,
)
from otel_agent_eval.evaluation.evaluation import Direction, Label, Outcome, Reason
from otel_agent_eval.signals import Signal


class Refusal(StrEnum):
    """Why a receiver did not take a request."""

    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    UNSUPPORTED = "unsupported"
    UNAUTHENTICATED = "unauthenticated"
    THROTTLED = "throttled"
    SLOW = "slow"
    JOURNAL_FULL = "journal_full"
    MEMORY = "memory"
    STOPPING = "stopping"
    INTERNAL = "internal"


class Drop(StrEnum):
    """Why telemetry that was received did not reach a destination."""

    REJECTED = "rejected"
    UNIMPLEMENTED = "unimplemented"
    JOURNAL_FULL = "journal_full"
    EXPIRED = "expired"
    UNREADABLE = "unreadable"
    STOPPING = "stopping"


class Lack(StrEnum):
    """What a span that is held back still waits for."""

    CONTENT = "content"
    DOCUMENTS = "documents"
    SCORES = "scores"


class Bound(StrEnum):
    """The bounds of assembly's memory; `LOGS` are the log records kept for their spans."""

    TRACES = "traces"
    DOCUMENTS = "documents"
    SIZE = "size"
    LOGS = "logs"


class Transport(StrEnum):
    """How a request came in."""

    GRPC = "grpc"
    HTTP = "http"


# --- Span attributes ----------------------------------------------------------------------------------------------

TOXICITY_CATEGORIES: Final = ("insult", "threat", "identity_attack", "obscene", "sexual")

LABEL = Attribute(
    name="agent_eval.label",
    description="`fail` if an evaluation of the answer failed its threshold, else `pass`; absent if none was scored",
    values=tuple(Label),
)
DUPLICATE_OF = Attribute(
    name="agent_eval.duplicate_of", description="span id (hex) of the answer that was scored in place of this repeat"
)
SCORE = EvaluatorAttribute(
    suffix="score",
    type=Type.DOUBLE,
    description="in [0, 1]; toxicity: probability of toxic, higher is worse; faithfulness: probability that every claim"
    " of the answer is supported; relevance: that it answers the question",
)
SCORE_LABEL = EvaluatorAttribute(
    suffix="label", description="the score read against its threshold", values=tuple(Label)
)
SCORE_THRESHOLD = EvaluatorAttribute(suffix="threshold", type=Type.DOUBLE, description="the threshold used")
SCORE_EVALUATOR = EvaluatorAttribute(suffix="evaluator", description="who judged, with version: `builtin/toxicity@3`")
SCORE_OUTCOME = EvaluatorAttribute(
    suffix="outcome", description="how the evaluation ended; only `scored` has a score", values=tuple(Outcome)
)
SCORE_REASON = EvaluatorAttribute(
    suffix="reason",
    description="why it was skipped (a closed list, see below); for a failed evaluation its `error.type`",
)
EVIDENCE_CUT = EvaluatorAttribute(
    suffix="evidence_cut", type=Type.BOOLEAN, description="true where evidence was shortened to the limits below"
)
CATEGORIES = EvaluatorAttribute(
    suffix="categories",
    type=Type.STRINGS,
    description="the kinds of toxicity found",
    values=TOXICITY_CATEGORIES,
    evaluators=("toxicity", "input_toxicity"),
)
UNSUPPORTED = EvaluatorAttribute(
    suffix="unsupported",
    type=Type.STRINGS,
    description="the sentences without support: content of the answer",
    evaluators=("faithfulness",),
)
SUPPORTING_DOCUMENTS = EvaluatorAttribute(
    suffix="documents",
    type=Type.STRINGS,
    description="ids of the documents that support the answer, or that are relevant to the question",
    evaluators=("faithfulness", "context_relevance"),
)
RESULT_ATTRIBUTES = (
    SCORE, SCORE_LABEL, SCORE_THRESHOLD, SCORE_EVALUATOR, SCORE_OUTCOME, SCORE_REASON, EVIDENCE_CUT,
)  # fmt: skip
EVIDENCE_ATTRIBUTES = (CATEGORIES, UNSUPPORTED, SUPPORTING_DOCUMENTS)
SPAN_ATTRIBUTES = (LABEL, DUPLICATE_OF, *RESULT_ATTRIBUTES, *EVIDENCE_ATTRIBUTES)

MAX_EVIDENCE_ITEMS: Final = 10
"""Entries of an evidence list that are written; the first ones are kept."""
MAX_TEXT: Final = 500
"""Characters of one evidence entry or explanation that are written; a shortened text ends with `…`."""

OPENINFERENCE_PREFIX: Final = "evaluations."
OPENINFERENCE_IDENTIFIER: Final = "otel-agent-eval/"
"""Starts the `identifier` of the OpenInference evaluations that are ours, so that they are replaced, never doubled."""
OPENINFERENCE_FIELDS: Final = ("name", "score", "label", "explanation", "annotator_kind", "identifier")


def openinference_attribute(index: int, field: str) -> str:
    """Return the name of a field of the span's evaluation number `index` in OpenInference's form."""
    return f"{OPENINFERENCE_PREFIX}{index}.evaluation.{field}"


# --- Attributes of events and metrics -----------------------------------------------------------------------------

_GENAI: Final = Stability.DEVELOPMENT
EVALUATION_NAME = Attribute(
    name="gen_ai.evaluation.name", description="the evaluator's name, such as `toxicity`", stability=_GENAI
)
EVALUATION_SCORE = Attribute(
    name="gen_ai.evaluation.score.value", type=Type.DOUBLE, description="the score, in [0, 1]", stability=_GENAI
)
EVALUATION_LABEL = Attribute(
    name="gen_ai.evaluation.score.label",
    description="the score read against its threshold; absent without a score",
    values=tuple(Label),
    stability=_GENAI,
)
EVALUATION_EXPLANATION = Attribute(
    name="gen_ai.evaluation.explanation",
    description="why, in words; off by default, since it can quote content",
    stability=_GENAI,
)
RESPONSE_ID = Attribute(name="gen_ai.response.id", description="the model's id of the response", stability=_GENAI)
CONVERSATION_ID = Attribute(name="gen_ai.conversation.id", description="the conversation, if known", stability=_GENAI)
AGENT_NAME = Attribute(name="gen_ai.agent.name", description="the agent that answered, if known", stability=_GENAI)
REQUEST_MODEL = Attribute(
    name="gen_ai.request.model",
    description="the model asked for, or the one that answered where only that is known",
    stability=_GENAI,
)
SERVICE_NAME = Attribute(
    name="service.name", description="the service whose agent answered", stability=Stability.STABLE
)
ERROR_TYPE = Attribute(
    name="error.type", description="why an evaluation failed: a class name, never content", stability=Stability.STABLE
)
EVENT_NAME = Attribute(
    name="event.name",
    description="the event's name again, for consumers that look for it among the attributes; off by default",
    stability=Stability.STABLE,
)
EVALUATOR = Attribute(name="agent_eval.evaluator", description="who judged, with version: `builtin/toxicity@3`")
THRESHOLD = Attribute(name="agent_eval.threshold", type=Type.DOUBLE, description="the threshold used")
DIRECTION = Attribute(
    name="agent_eval.direction", description="which end of the score is good", values=tuple(Direction)
)
CHOICE = Attribute(name="agent_eval.choice", type=Type.INT, description="which choice of the response, from 0")
OUTCOME = Attribute(name="agent_eval.outcome", description="how the evaluation ended", values=tuple(Outcome))
REASON = Attribute(name="agent_eval.reason", description="why it was skipped; absent otherwise", values=tuple(Reason))
SIGNAL = Attribute(name="agent_eval.signal", description="the kind of telemetry", values=tuple(Signal))
TRANSPORT = Attribute(name="agent_eval.transport", description="how it came in", values=tuple(Transport))
DESTINATION = Attribute(name="agent_eval.destination", description="the exporter, as the configuration names it")
REFUSAL = Attribute(name="agent_eval.refusal", description="why a request was refused", values=tuple(Refusal))
DROP = Attribute(name="agent_eval.drop", description="why telemetry was dropped", values=tuple(Drop))
ITEMS = Attribute(
    name="agent_eval.items", type=Type.INT, description="spans, log records or data points, on the gateway's own spans"
)
LACK = Attribute(name="agent_eval.lack", description="what a held span waits for", values=tuple(Lack))
BOUND = Attribute(name="agent_eval.bound", description="the bound that was reached", values=tuple(Bound))
DIMENSION = Attribute(
    name="agent_eval.dimension",
    description="the attribute whose number of distinct values reached its cap, or `combination` for all together",
)

RESULT_EVENT = Event(
    name="gen_ai.evaluation.result",
    description="one evaluation that was scored or failed, on the span judged; its time is that span's end",
    attributes=(
        EVALUATION_NAME, EVALUATION_SCORE, EVALUATION_LABEL, EVALUATION_EXPLANATION, RESPONSE_ID, ERROR_TYPE,
        EVALUATOR, THRESHOLD, DIRECTION, CHOICE, AGENT_NAME, CONVERSATION_ID, EVENT_NAME,
    ),
    stability=_GENAI,
)  # fmt: skip

# --- Metrics ------------------------------------------------------------------------------------------------------

OTHER: Final = "__other__"
"""What a dimension's value becomes once its cap on distinct values is reached."""
ALL_DIMENSIONS: Final = "combination"
DIMENSIONS = (SERVICE_NAME, AGENT_NAME, REQUEST_MODEL)
_COUNTED = (EVALUATION_NAME, EVALUATOR, OUTCOME, EVALUATION_LABEL, REASON, *DIMENSIONS)

SCORES = Metric(
    name="agent_eval.score",
    instrument=Instrument.HISTOGRAM,
    unit="1",
    description="Scores, weighted by sampling; the configured thresholds are among the bucket edges",
    attributes=(EVALUATION_NAME, EVALUATOR, *DIMENSIONS),
    segmented=True,
)
EVALUATIONS = Metric(
    name="agent_eval.evaluations",
    instrument=Instrument.COUNTER,
    unit="{evaluation}",
    description="Evaluations as they ended when their span left, weighted by sampling: an estimate for all answers, "
    "sampled or not; a score that comes later is in the scores, and not counted again here",
    attributes=_COUNTED,
    segmented=True,
)
EVALUATIONS_RAW = Metric(
    name="agent_eval.evaluations.raw",
    instrument=Instrument.COUNTER,
    unit="{evaluation}",
    description="Evaluations as they came, each counted once: the sample size behind the weighted number",
    attributes=_COUNTED,
    segmented=True,
)
LAST_FAILURE = Metric(
    name="agent_eval.last_failure.timestamp",
    instrument=Instrument.GAUGE,
    unit="s",
    description="Unix time at which the gateway last labelled an answer fail; 0 for never; kept across restarts in "
    "service.telemetry.metrics.last_failure_file",
    attributes=(EVALUATION_NAME, *DIMENSIONS),
    segmented=True,
)
LAST_SEVERE_FAILURE = Metric(
    name="agent_eval.last_severe_failure.timestamp",
    instrument=Instrument.GAUGE,
    unit="s",
    description="Unix time of the last failed answer whose score reached the evaluator's paging_threshold; 0 for "
    "never; kept across restarts like the last failure",
    attributes=(EVALUATION_NAME, *DIMENSIONS),
    segmented=True,
)
EVALUATION_ERRORS = Metric(
    name="agent_eval.evaluation.errors",
    instrument=Instrument.COUNTER,
    unit="{evaluation}",
    description="Failed evaluations by the type of error",
    attributes=(EVALUATION_NAME, EVALUATOR, ERROR_TYPE),
)
EVALUATION_DURATION = Metric(
    name="agent_eval.evaluation.duration",
    instrument=Instrument.HISTOGRAM,
    unit="s",
    description="Time from handing an answer to an evaluator until its verdict",
    attributes=(EVALUATION_NAME, EVALUATOR),
)
OVERFLOW = Metric(
    name="agent_eval.metrics.overflow",
    instrument=Instrument.COUNTER,
    unit="{evaluation}",
    description=f"Evaluations counted under {OTHER} because a cap on distinct values was reached",
    attributes=(DIMENSION,),
)
RECEIVED = Metric(
    name="agent_eval.gateway.received",
    instrument=Instrument.COUNTER,
    unit="{item}",
    description="Spans, log records and data points accepted",
    attributes=(SIGNAL, TRANSPORT),
)
REFUSED = Metric(
    name="agent_eval.gateway.refused",
    instrument=Instrument.COUNTER,
    unit="{request}",
    description="Requests answered with an error; the sender still has them",
    attributes=(SIGNAL, TRANSPORT, REFUSAL),
)
REFUSED_ITEMS = Metric(
    name="agent_eval.gateway.refused.items",
    instrument=Instrument.COUNTER,
    unit="{item}",
    description="Spans, log records and data points in refused requests, as far as these could be read",
    attributes=(SIGNAL, TRANSPORT),
)
HANDSHAKE_FAILURES = Metric(
    name="agent_eval.gateway.handshake.failures",
    instrument=Instrument.COUNTER,
    unit="{connection}",
    description="Connections to receivers whose TLS handshake failed, over HTTP only: gRPC does not tell",
    attributes=(TRANSPORT,),
)
REQUEST_SIZE = Metric(
    name="agent_eval.gateway.request.size",
    instrument=Instrument.HISTOGRAM,
    unit="By",
    description="Sizes of the requests that came in and could be read, decompressed, in protobuf",
    attributes=(SIGNAL,),
)
FORWARDED = Metric(
    name="agent_eval.gateway.forwarded",
    instrument=Instrument.COUNTER,
    unit="{item}",
    description="Spans, log records and data points that a destination has taken",
    attributes=(SIGNAL, DESTINATION),
)
DROPPED = Metric(
    name="agent_eval.gateway.dropped",
    instrument=Instrument.COUNTER,
    unit="{item}",
    description="Spans, log records and data points that a destination will never get",
    attributes=(SIGNAL, DESTINATION, DROP),
)
SEND_DURATION = Metric(
    name="agent_eval.gateway.send.duration",
    instrument=Instrument.HISTOGRAM,
    unit="s",
    description="How long attempts to send a request took, those that failed included",
    attributes=(SIGNAL, DESTINATION),
)
SEND_ITEMS = Metric(
    name="agent_eval.gateway.send.items",
    instrument=Instrument.HISTOGRAM,
    unit="{item}",
    description="Spans, log records and data points of the requests that a destination has taken: the batch sizes",
    attributes=(SIGNAL, DESTINATION),
)
SEND_FAILURES = Metric(
    name="agent_eval.gateway.send.failures",
    instrument=Instrument.COUNTER,
    unit="{attempt}",
    description="Attempts to send a request that a destination did not take; nearly all are repeated",
    attributes=(SIGNAL, DESTINATION),
)
QUEUED = Metric(
    name="agent_eval.gateway.queued",
    instrument=Instrument.GAUGE,
    unit="{request}",
    description="Requests that wait for a destination",
    attributes=(SIGNAL, DESTINATION),
)
QUEUED_BYTES = Metric(
    name="agent_eval.gateway.queue.size",
    instrument=Instrument.GAUGE,
    unit="By",
    description="Telemetry that waits for a destination",
    attributes=(DESTINATION,),
)
QUEUE_CAPACITY = Metric(
    name="agent_eval.gateway.queue.capacity",
    instrument=Instrument.GAUGE,
    unit="By",
    description="Telemetry that may wait for a destination: its own `queue_size`, or that of the whole queue",
    attributes=(DESTINATION,),
)
QUEUE_AGE = Metric(
    name="agent_eval.gateway.queue.age",
    instrument=Instrument.GAUGE,
    unit="s",
    description="How long the request that has waited longest for a destination has waited",
    attributes=(DESTINATION,),
)
DEAD_LETTERS = Metric(
    name="agent_eval.gateway.dead_letters",
    instrument=Instrument.GAUGE,
    unit="{request}",
    description="Requests parked because their destination will never take them as they are",
    attributes=(DESTINATION,),
)
JOURNAL_SIZE = Metric(
    name="agent_eval.gateway.journal.size",
    instrument=Instrument.GAUGE,
    unit="By",
    description="All that is kept until it is delivered, for all destinations together",
    attributes=(),
)
JOURNAL_UNREADABLE = Metric(
    name="agent_eval.gateway.journal.unreadable",
    instrument=Instrument.COUNTER,
    unit="{part}",
    description="Parts of the queue's files that could not be read, and files that were gone; the log says where",
    attributes=(),
)
HELD = Metric(
    name="agent_eval.gateway.held",
    instrument=Instrument.GAUGE,
    unit="{span}",
    description="Spans held back until what they lack has come or their time is up",
    attributes=(LACK,),
)
HOLD_DURATION = Metric(
    name="agent_eval.gateway.hold.duration",
    instrument=Instrument.HISTOGRAM,
    unit="s",
    description="How long spans with answers waited for their trace and their scores; in annotate mode they are held",
    attributes=(),
)
CONFIG_LOADED = Metric(
    name="agent_eval.gateway.config.loaded.timestamp",
    instrument=Instrument.GAUGE,
    unit="s",
    description="Unix time since which the configuration is in effect",
    attributes=(),
)
CONFIG_REFUSED = Metric(
    name="agent_eval.gateway.config.refused",
    instrument=Instrument.GAUGE,
    unit="{config}",
    description="1 while the last configuration that was to be loaded is not the one in effect, else 0",
    attributes=(),
)
EVICTIONS = Metric(
    name="agent_eval.gateway.evictions",
    instrument=Instrument.COUNTER,
    unit="{eviction}",
    description="Traces and log records forgotten early, to stay within a bound of assembly's memory",
    attributes=(BOUND,),
)
MEMORY = Metric(
    name="agent_eval.gateway.memory",
    instrument=Instrument.GAUGE,
    unit="By",
    description="What the gateway and its model workers hold and the system cannot take back; the memory limiter's",
    attributes=(),
)
WORKERS = Metric(
    name="agent_eval.gateway.workers",
    instrument=Instrument.GAUGE,
    unit="{worker}",
    description="Model workers that can judge now; while it is 0 nothing is scored, and answers count as failed",
    attributes=(),
)
WORKER_ENDINGS = Metric(
    name="agent_eval.gateway.worker.endings",
    instrument=Instrument.COUNTER,
    unit="{ending}",
    description="Model workers that crashed, were killed (out of memory, as a rule) or hung; others take their place",
    attributes=(ERROR_TYPE,),
)
ANSWER_METRICS = (
    SCORES, EVALUATIONS, EVALUATIONS_RAW, LAST_FAILURE, LAST_SEVERE_FAILURE, EVALUATION_ERRORS, EVALUATION_DURATION,
    OVERFLOW,
)  # fmt: skip
GATEWAY_METRICS = (
    RECEIVED, REFUSED, FORWARDED, DROPPED, QUEUED, QUEUED_BYTES, QUEUE_AGE, DEAD_LETTERS, JOURNAL_SIZE,
    JOURNAL_UNREADABLE, HELD, EVICTIONS, MEMORY, WORKERS, WORKER_ENDINGS, REFUSED_ITEMS, REQUEST_SIZE, SEND_DURATION,
    SEND_ITEMS, SEND_FAILURES, QUEUE_CAPACITY, HOLD_DURATION, CONFIG_LOADED, CONFIG_REFUSED, HANDSHAKE_FAILURES,
)  # fmt: skip
METRICS = (*ANSWER_METRICS, *GATEWAY_METRICS)
