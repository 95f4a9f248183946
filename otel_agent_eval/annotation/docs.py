"""Generates docs/telemetry.md from the catalogue: `python -m otel_agent_eval.annotation.docs [--check]`."""

import sys
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path

from otel_agent_eval.annotation import catalogue
from otel_agent_eval.annotation.answer_metrics import ENDINGS, SCORE_EDGES, AnswerMetricsOptions, max_series
from otel_agent_eval.annotation.collector import TRANSLATIONS, Translation
from otel_agent_eval.annotation.definitions import PREFIX, Attribute, EvaluatorAttribute, Metric, evaluator_attribute
from otel_agent_eval.annotation.dimensions import Limits
from otel_agent_eval.annotation.result import EvaluatorInfo
from otel_agent_eval.annotation.sampling import MAX_WEIGHT
from otel_agent_eval.evaluation.evaluation import Direction, Reason

PAGE = Path(__file__).resolve().parents[2] / "docs" / "telemetry.md"

_REASONS = {
    Reason.NO_ANSWER: "the span holds no text answer, only tool calls for instance",
    Reason.NO_QUESTION: "the evaluator needs a question and there is none",
    Reason.NO_CONTEXT: "the evaluator needs documents and none were retrieved",
    Reason.CONTENT_NOT_CAPTURED: "the sender records no content; its instrumentation has a switch for that",
    Reason.BY_REFERENCE: "the content lies elsewhere and only its address was sent",
    Reason.TRUNCATED: "the sender cut the text, or it has more than 16 million characters; a toxic beginning still "
    "fails, a clean one proves nothing",
    Reason.UNSUPPORTED_LANGUAGE: "the evaluator does not know the language",
    Reason.NOT_USER_FACING: "nobody got this answer: query rewriting, tool or guardrail steps",
    Reason.DUPLICATE: f"it repeats an answer already scored; `{catalogue.DUPLICATE_OF.name}` names that span",
    Reason.SAMPLED_OUT: "the configured sampling left it out",
    Reason.FILTERED: "a configured filter left it out",
    Reason.OVERLOADED: "more answers came than could be scored",
    Reason.DEADLINE: "the verdict came too late for the span; event and metrics still follow",
}


def render() -> str:
    """Return the page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# What the gateway writes"
    yield from _text(
        "<!-- Generated from otel_agent_eval/annotation/catalogue.py by",
        "`python -m otel_agent_eval.annotation.docs`; a test checks that it is current. -->",
    )
    yield from _text(
        "Stability: `alpha` names are this project's and can change with a minor version; `development` and `stable`",
        "are OpenTelemetry's own names and levels.",
    )
    yield from _span_attributes()
    yield from _event()
    yield from _metrics()
    yield from _collector()
    yield from _reading()
    yield from _series()


def _span_attributes() -> Iterator[str]:
    yield from _text("## Span attributes")
    yield from _text(
        "`<name>` is an evaluator: `toxicity`, `input_toxicity`, `faithfulness`, `relevance`, `context_relevance`, or",
        "a plug-in's name: see [evaluators](evaluators.md).",
        f"Every attribute of a judged span that begins with `{PREFIX}` belongs to the gateway: what an",
        "earlier one wrote is replaced. A plug-in's evidence is written as",
        f"`{evaluator_attribute('<name>', '<key>')}`.",
    )
    yield from _table(
        ("attribute", "type", "meaning", "values", "stability"),
        (
            (f"`{a.name}`{_only(a)}", a.type, a.description, _values(a.values), a.stability)
            for a in catalogue.SPAN_ATTRIBUTES
        ),
    )
    yield from _text(
        "Several choices: the span carries, for each evaluator, the worst of them: `fail`, then failed, then `pass`,",
        "then skipped; among scores the worst by direction. Each choice has its own event and is counted by itself.",
        f"A duplicate carries `{catalogue.DUPLICATE_OF.name}` and no label.",
    )
    yield from _text(
        f"Limits: the first {catalogue.MAX_EVIDENCE_ITEMS} entries of an evidence list, and {catalogue.MAX_TEXT}",
        "characters of each; a shortened text ends with `…`.",
    )
    yield from _text(
        "By choice also OpenInference's form, after the evaluations that others wrote:",
        ", ".join(f"`{catalogue.openinference_attribute(0, field)}`" for field in catalogue.OPENINFERENCE_FIELDS) + ".",
        f"Ours have an `identifier` that begins with `{catalogue.OPENINFERENCE_IDENTIFIER}`.",
    )
    yield from _text("### Reasons")
    yield from _table(("reason", "meaning"), ((f"`{reason}`", _REASONS[reason]) for reason in Reason))


def _event() -> Iterator[str]:
    event = catalogue.RESULT_EVENT
    yield from _text(f"## Event `{event.name}`")
    yield from _text(
        f"A log record ({event.stability}): {event.description}. It has the trace id, span id, trace flags and",
        "resource of the judged span, severity INFO, scope `otel_agent_eval`, and as observed time the moment of",
        "writing. By choice it is written as a span event too.",
    )
    yield from _table(
        ("attribute", "type", "meaning", "values", "stability"),
        ((f"`{a.name}`", a.type, a.description, _values(a.values), a.stability) for a in event.attributes),
    )


def _metrics() -> Iterator[str]:
    yield from _text("## Metrics")
    yield from _text(
        "One set of numbers, pushed over OTLP (cumulative, resource `service.name=otel-agent-eval`) and served at",
        "`/metrics` (OpenMetrics with exemplars, or the classic text without). Prometheus names follow from the",
        "OpenTelemetry names by the standard translation. An attribute without a value is left out.",
    )
    for metric in catalogue.METRICS:
        yield from _metric(metric)
    yield from _text("### Attributes of metrics")
    attributes = {a.name: a for metric in catalogue.METRICS for a in metric.attributes}.values()
    yield from _table(
        ("attribute", "Prometheus label", "meaning", "values"),
        ((f"`{a.name}`", f"`{a.prometheus}`", a.description, _values(a.values)) for a in attributes),
    )
    yield from _text(
        "Segments are the attributes that the configuration names, such as `user.segment` (label `user_segment`)."
    )


def _collector() -> Iterator[str]:
    yield from _text("### Under the Collector's names")
    yield from _text(
        "The same numbers once more as the OpenTelemetry Collector names them about itself, so that dashboards and",
        "alerts for Collectors work. Counters end in `_total` on the page, as those of a Collector whose reader is",
        "configured. Queues are measured in bytes, as with the Collector's `sizer: bytes`.",
    )
    yield from _table(
        ("metric", "follows from", "attributes"),
        (
            (f"`{t.metric.name}`", _source(t), ", ".join(f"`{a.name}`" for a in t.metric.attributes))
            for t in TRANSLATIONS
        ),
    )


def _source(translation: Translation) -> str:
    only = (f"`{name.name}` {_values(tuple(sorted(values)))}" for name, values in translation.only.items())
    return "; ".join([f"`{translation.source.name}`", *only])


def _reading() -> Iterator[str]:
    weighted, raw = catalogue.EVALUATIONS, catalogue.EVALUATIONS_RAW
    yield from _text("### Reading them")
    yield from _text(
        "**Sampling.** A span whose trace state has a sampling threshold (`ot=th:...`) stands for 2^56 / (2^56 -",
        f"threshold) answers, at most {MAX_WEIGHT:,.0f}. `{catalogue.SCORES.name}` and `{weighted.name}` count it so",
        f"many times (a histogram in whole numbers, the fraction carried on); `{raw.name}` counts it once.",
    )
    yield from _text(
        "**First failures.** All series of the closed lists exist at 0 from the start without dimensions, and for each",
        "new service, agent, model and segments from the moment when they are first seen. That moment can be the first",
        f"failure's own: rest an alert on any failure on `{catalogue.LAST_FAILURE.prometheus_sample}`. It is the",
        "gateway's time, so an answer that was delayed on its way alerts all the same.",
    )
    yield from _text(
        f"**Buckets.** The edges are {', '.join(map(str, SCORE_EDGES))} and the thresholds configured for the",
        "evaluator. A bucket includes its upper edge, so a score that equals a threshold lies below that edge; the",
        f"labels of `{weighted.name}` are exact.",
    )
    yield from _text(
        f"**Failed evaluations** have `{catalogue.OUTCOME.name}` = `failed` and never a score. Their types of error",
        f"are counted apart, in `{catalogue.EVALUATION_ERRORS.name}`, so that the series an alert rests on exists",
        "before the first error.",
    )


def _series() -> Iterator[str]:
    limits = Limits()
    yield from _text("### How many series")
    yield from _text(
        f"Caps: {limits.values} values of each dimension, {limits.combinations} combinations of all, {limits.length}",
        f"characters of a value. What exceeds them is counted as `{catalogue.OTHER}` and in",
        f"`{catalogue.OVERFLOW.name}`. At most there are",
    )
    yield from _text("    (combinations + 2) x evaluators x (score edges + 3 + 2 x endings + 2)", width=0)
    yield from _text(
        f"series, with {len(ENDINGS)} endings (scored pass or fail, skipped for {len(Reason)} reasons, failed), and a",
        "few dozen more for each evaluator, 132 for each destination of three signals, and some 150 more. With the",
        f"defaults, four evaluators and no thresholds beside the edges that is {_example(limits):,}; ten combinations",
        f"make {_example(Limits(combinations=10)):,}.",
    )


def _text(*parts: str, width: int = 120) -> Iterator[str]:
    """Yield an empty line and a paragraph, wrapped unless `width` is 0."""
    text = " ".join(parts)
    yield ""
    yield textwrap.fill(text, width, break_long_words=False, break_on_hyphens=False) if width else text


def _metric(metric: Metric) -> Iterator[str]:
    suffix = {"histogram": "`, `_sum`, `_count"}.get(metric.instrument, "")
    name = metric.prometheus_sample + ("_bucket" if suffix else "")
    attributes = [f"`{a.name}`" for a in metric.attributes] + (["segments"] if metric.segmented else [])
    yield from _text(f"### `{metric.name}`")
    yield from _text(f"{metric.description}.")
    yield from _text(
        f"{metric.instrument.capitalize()}, unit `{metric.unit}`, {metric.stability}. Prometheus: `{name}{suffix}`.",
        f"Attributes: {', '.join(attributes)}.",
    )


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield ""
    yield "| " + " | ".join(header) + " |"
    yield "|" + "---|" * len(header)
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def _values(values: tuple[str, ...]) -> str:
    return ", ".join(f"`{value}`" for value in values)


def _only(attribute: Attribute | EvaluatorAttribute) -> str:
    names = attribute.evaluators if isinstance(attribute, EvaluatorAttribute) else ()
    return f" ({', '.join(names)})" if names else ""


def _example(limits: Limits) -> int:
    names = ("toxicity", "input_toxicity", "faithfulness", "relevance")
    evaluators = tuple(EvaluatorInfo(name, "", Direction.HIGHER_IS_BETTER, judges_answer=True) for name in names)
    return max_series(AnswerMetricsOptions(evaluators=evaluators, severe={"toxicity": 0.9}, limits=limits))


def main(arguments: list[str]) -> int:
    """Write the page, or with `--check` return 1 if it is not current."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write("usage: python -m otel_agent_eval.annotation.docs [--check]\n")
        return 2
    page = render()
    if not arguments:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page:
        sys.stderr.write(f"{PAGE.name} is not current: run python -m otel_agent_eval.annotation.docs\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
