"""The rule files of a configuration."""

from collections.abc import Mapping, Sequence

from otel_agent_eval.alerts.alerting import alert_group
from otel_agent_eval.alerts.error_rates import ErrorRates, error_rates, is_version_of
from otel_agent_eval.alerts.plan import Plan
from otel_agent_eval.alerts.recording import Recordings
from otel_agent_eval.alerts.rules import rule_file
from otel_agent_eval.annotation.dimensions import Limits
from otel_agent_eval.config import AgentEval, Config
from otel_agent_eval.config.messages import suggestion

RECORDING_FILE = "agent-eval-recording.yml"
ALERTS_FILE = "agent-eval-alerts.yml"
_HEAD = """\
Written by `otel-agent-eval alerts render`, and checked by `otel-agent-eval alerts render --check`: change the
configuration, not this file. docs/alerts.md explains it."""


def render(config: Config, services: Sequence[str] = ()) -> dict[str, str]:
    """Return the files by name, for some of the services that `alerts.services` lists or for all there are.

    Raises `ValueError` for a service that is not listed, and where nothing is scored at all.
    """
    settings, processor = config.alerts, config.agent_eval
    if processor is None:
        raise ValueError("the traces pipeline does not name the processor agent_eval: there is nothing to alert on")
    for name in services:
        if name not in settings.services:
            known = suggestion(name, settings.services) if settings.services else "none is listed there"
            raise ValueError(f"service {name!a} is not listed under alerts.services; {known}")
    rates = error_rates(settings)
    recordings = Recordings(settings, rates, _segments(config, processor))
    most = recordings.max_series(len(processor.evaluators), Limits().combinations + 2)
    size = (
        f"\nIt records at most {most:,} series, where the gateway folds what exceeds its caps; few services make few."
    )
    plan = Plan(settings, services, tuple(processor.evaluators))
    return {
        RECORDING_FILE: rule_file([*recordings.groups(services)], "\n".join([_HEAD, *_limits(config, rates), size])),
        ALERTS_FILE: rule_file([alert_group(plan)], _HEAD),
    }


def _segments(config: Config, processor: AgentEval) -> dict[str, Sequence[str]]:
    """Return the segments to compare and their values: those chosen, else all that split the metrics."""
    return dict(config.alerts.segments) or dict.fromkeys(processor.segments, ())


def _limits(config: Config, rates: Mapping[str, ErrorRates]) -> list[str]:
    """Say from which true rate on the hallucination alert can fire at all."""
    limit, name = config.alerts.hallucination_rate, config.alerts.evaluators.faithfulness
    lines = [
        f"- {version}: from {rate.detectable(limit):.1%} on (it flags {rate.sensitivity:.0%} of {rate.counts.bad} bad "
        f"answers and {rate.false_positives:.0%} of {rate.counts.good} good ones)"
        for version, rate in rates.items()
        if is_version_of(version, name)
    ]
    return [f"\nA true hallucination rate above {limit:.0%} can be told from it:", *lines] if lines else []
