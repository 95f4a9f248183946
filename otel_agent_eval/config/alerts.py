"""The section `alerts`: what `otel-agent-eval alerts render` makes rules of. The gateway itself does not read it."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, PlainValidator, model_validator

from otel_agent_eval.config.base import Settings
from otel_agent_eval.config.values import Duration, parse_endpoint

Share = Annotated[float, Field(gt=0.0, lt=1.0, allow_inf_nan=False)]


def _url(value: object) -> str:
    """Check an address that people open."""
    if not parse_endpoint(value).scheme:
        raise ValueError(f"expected a URL that begins with http:// or https://; got {value!a}")
    if "{{" in str(value):
        raise ValueError("a URL cannot hold {{: Prometheus would read it as a template")
    return str(value).rstrip("/")


Url = Annotated[str, PlainValidator(_url)]


class ErrorCounts(Settings):
    """How often an evaluator was right on answers that people judged."""

    bad: Annotated[int, Field(ge=1)]
    """Answers that people found bad (toxic, unfaithful, beside the question)."""
    bad_flagged: Annotated[int, Field(ge=0)]
    """Those of them that the evaluator labelled `fail`."""
    good: Annotated[int, Field(ge=1)]
    """Answers that people found good."""
    good_flagged: Annotated[int, Field(ge=0)]
    """Those of them that the evaluator labelled `fail`."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.bad_flagged > self.bad or self.good_flagged > self.good:
            raise ValueError("more answers were flagged than there were")
        if self.bad_flagged * self.good <= self.good_flagged * self.bad:
            raise ValueError("bad answers are flagged no more often than good ones: nothing can be corrected by that")
        return self


class AlertEvaluators(Settings):
    """Which evaluator each alert reads, where a plug-in takes a built-in one's place."""

    toxicity: str = "toxicity"
    """For toxic answers."""
    faithfulness: str = "faithfulness"
    """For the hallucination rate."""
    relevance: str = "relevance"
    """For the average relevance."""


class ServiceAlerts(Settings):
    """What differs for one service; what is left out is as for all."""

    hallucination_rate: Share | None = None
    """As for all, for this service."""
    relevance_mean: Share | None = None
    """As for all, for this service."""
    coverage: Share | None = None
    """As for all, for this service."""
    silence: Annotated[Duration, Field(ge=1)] | None = None
    """Alerts when this service gave no answer for so long: take a time in which several always come."""


class AlertLinks(Settings):
    """Where the links in alerts lead."""

    runbooks: Url = "http://localhost:8090"
    """Where the files of examples/runbooks can be read."""
    traces: Literal["grafana", "jaeger"] = "grafana"
    """What opens the answers: Grafana's Explore page (with Tempo), or Jaeger."""
    traces_url: Url = "http://localhost:3000"
    """Its address."""
    datasource: str = "tempo"
    """The uid of Tempo's data source in Grafana."""
    prometheus: Url = "http://localhost:9090"
    """Prometheus, for the alerts about numbers."""


class Alerts(Settings):
    """The alert rules that `otel-agent-eval alerts render` writes."""

    hallucination_rate: Share = 0.05
    """More unfaithful answers than this share alert, once it is certain: after correction by the evaluator's measured
    errors, at the lower end of what the number of answers allows."""
    hallucination_rise: Share = 0.05
    """A rise of the true hallucination rate by more than this against its own past alerts. It is certain however many
    good answers the evaluator flags, as long as those were as many before."""
    relevance_mean: Share = 0.5
    """An average relevance below this alerts."""
    relevance_fall: Share = 0.1
    """A fall of the average relevance by more than this against its own past alerts."""
    bias_difference: Share = 0.05
    """A share of failed answers that is higher by at least this in one segment than in the rest alerts, once it cannot
    be chance."""
    error_rate: Share = 0.01
    """Failures of evaluations below this share never alert, above it when they are twice the usual share."""
    coverage: Share = 0.9
    """Fewer answers scored than this share of those that could have been alert."""
    coverage_fall: Share = 0.1
    """A fall of that share by more than this against its own past alerts."""
    evaluators: AlertEvaluators = AlertEvaluators()
    """Which evaluator each alert reads."""
    services: Mapping[str, ServiceAlerts] = Field(default_factory=dict)
    """Services with thresholds of their own, by name; all others have the thresholds above."""
    segments: Mapping[str, Annotated[tuple[str, ...], Field(min_length=1)]] = Field(default_factory=dict)
    """Which values of which segments are compared. Without it: all values of all segments of `agent_eval`."""
    error_rates: Mapping[str, ErrorCounts] = Field(default_factory=dict)
    """Your own measurement of an evaluator, by its version such as `builtin/faithfulness@2`: it takes the place of the
    one that comes with the package."""
    significance: Annotated[float, Field(gt=0.0, le=0.1)] = 0.001
    """The chance of a false alarm at one look, for a service that is exactly at a threshold."""
    min_answers: Annotated[int, Field(ge=10)] = 50
    """No rate of fewer answers alerts, and no segment with fewer is compared."""
    windows: Annotated[tuple[Annotated[Duration, Field(ge=1, le=1_209_600)], ...], Field(min_length=1)] = (
        3600.0,
        86_400.0,
        604_800.0,
    )
    """Over how long rates are looked at, ascending: short ones find what is bad at once, long ones what few answers
    show. The last is also the past that the others are compared with; silence is judged by the same hour one day and
    one week ago because of these defaults."""
    hold: Annotated[Duration, Field(ge=1)] = 1800.0
    """How long a single toxic answer keeps its alert up."""
    job: str = "otel-agent-eval"
    """The name of Prometheus' scrape job for the gateways."""
    links: AlertLinks = AlertLinks()
    """Where the links in alerts lead."""

    @model_validator(mode="after")
    def _can_be_rendered(self) -> Self:
        for name in self.services:
            if "{{" in name:
                raise ValueError(
                    f"the service {name!a} cannot have rules of its own: Prometheus would read it as a template"
                )
        if any(short >= long for short, long in pairwise(self.windows)):
            raise ValueError("windows must ascend, each longer than the one before")
        return self
