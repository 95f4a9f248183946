"""The alerts: one function for each subject, from the settings to its rules. What they say is in texts.yaml."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import Final

import yaml

from otel_agent_eval.alerts.links import answers_link, numbers_link, runbook_link
from otel_agent_eval.alerts.promql import any_of, duration, pattern, quoted, series
from otel_agent_eval.alerts.recording import AGENT, EVALUATION, EVALUATOR, SERVICE
from otel_agent_eval.alerts.rules import Alert, Group
from otel_agent_eval.annotation import catalogue
from otel_agent_eval.config.alerts import Alerts

USUAL_ANSWERS: Final = 20
"""So many answers are usual at this hour before their absence is silence."""
_FASTEST: Final = 15.0
_WHO: Final = f"{{{{ $labels.{SERVICE} }}}}{{{{ with $labels.{AGENT} }}}} (agent {{{{ . }}}}){{{{ end }}}}"
_RAW: Final = catalogue.EVALUATIONS_RAW.prometheus_sample


@dataclass(frozen=True, slots=True)
class Scope:
    """A matcher of services and their threshold; `service` is the name where it is one that is named."""

    matcher: str
    limit: float
    service: str = ""


@dataclass(frozen=True)
class Plan:
    """What the alerts are made from: settings, the services they are for (none: all), the evaluators that run."""

    settings: Alerts
    services: Sequence[str]
    evaluators: Sequence[str]

    def scopes(self, key: str) -> Iterator[Scope]:
        """Yield the services with a threshold of their own, one by one, then all others."""
        own = {name: getattr(service, key) for name, service in self.settings.services.items()}
        own = {name: value for name, value in own.items() if value is not None}
        for name, value in sorted(own.items()):
            if not self.services or name in self.services:
                yield Scope(f"{SERVICE}={quoted(name)}", value, name)
        others = [name for name in self.services if name not in own]
        if others:
            yield Scope(f"{SERVICE}=~{pattern(others)}", getattr(self.settings, key))
        elif not self.services:
            yield Scope(f"{SERVICE}!~{pattern(sorted(own))}" if own else "", getattr(self.settings, key))

    @property
    def only(self) -> str:
        """The matcher of the services, empty for all."""
        return f"{SERVICE}=~{pattern(self.services)}" if self.services else ""

    @property
    def keep(self) -> float:
        """For how long an alert about a rate stays after the rate was last certain, so that it does not flap."""
        return self.settings.windows[0] / 4

    @cached_property
    def texts(self) -> Mapping[str, Mapping[str, str]]:
        """What each alert says."""
        found: Mapping[str, Mapping[str, str]] = yaml.safe_load(files(__package__).joinpath("texts.yaml").read_bytes())
        return found

    def alert(
        self,
        name: str,
        expr: str,
        query_url: str,
        *,
        service: str = "",
        wait: float = 0,
        keep: float = 0,
        **values: str,
    ) -> Alert:
        """Return an alert with its text, in which the values are filled in."""
        text = self.texts[name]
        said = {key: text[key].replace("<who>", _WHO) for key in ("summary", "description")}
        for key, value in values.items():
            said = {part: sentence.replace(f"<{key}>", value) for part, sentence in said.items()}
        links = {"query_url": query_url, "runbook_url": runbook_link(self.settings.links, text["runbook"])}
        severity = text["severity"]
        return Alert(name, expr, severity, annotations={**said, **links}, service=service, wait=wait, keep=keep)

    def failed(self, evaluator: str) -> str:
        """Return the link to the answers that failed an evaluator."""
        return answers_link(self.settings.links, evaluator)

    def numbers(self, expression: str) -> str:
        """Return the link to a drawing of an expression."""
        return numbers_link(self.settings.links, expression)


def alert_group(plan: Plan) -> Group:
    """Return the group of all alerts."""
    subjects = (toxicity, hallucination, relevance, bias, errors, coverage, silence)
    rules = [alert for subject in subjects for alert in subject(plan)]
    return Group("agent-eval-alerts", max(1.0, min(_FASTEST, plan.settings.windows[0] / 240)), rules)


def toxicity(plan: Plan) -> Iterator[Alert]:
    """A toxic answer: certain ones wake somebody, the very first one too; others are for the next day.

    Both rest on the time of the last failure: a counter that is born at 1 never increases. The maximum over time
    remembers it where the gateway dies right after.
    """
    evaluator, hold = plan.settings.evaluators.toxicity, plan.settings.hold
    if evaluator not in plan.evaluators:
        return
    for name, metric in (
        ("AgentEvalToxicityDetected", catalogue.LAST_SEVERE_FAILURE),
        ("AgentEvalToxicityFlagged", catalogue.LAST_FAILURE),
    ):
        times = series(metric.prometheus_sample, f'{EVALUATION}="{evaluator}"', plan.only)
        last = f"max by ({SERVICE}, {AGENT}) (max_over_time({times}[{duration(hold)}]))"
        expr = f"time() - ({last} > 0) < {hold:g}"
        yield plan.alert(name, expr, plan.failed(evaluator), evaluator=evaluator, hold=duration(hold))


def hallucination(plan: Plan) -> Iterator[Alert]:
    """More unfaithful answers than the limit, at the lowest share that agrees with what was flagged."""
    evaluator = plan.settings.evaluators.faithfulness
    if evaluator not in plan.evaluators:
        return
    for scope in plan.scopes("hallucination_rate"):
        lowest = series("agent_eval:corrected:ratio_lower", f'{EVALUATION}="{evaluator}"', scope.matcher, plan.only)
        yield plan.alert(
            "AgentEvalHighHallucinationRate",
            f"max without (window, {EVALUATOR}) ({lowest} > {scope.limit:g})",
            plan.failed(evaluator),
            service=scope.service,
            keep=plan.keep,
            limit=_percent(scope.limit),
        )


def relevance(plan: Plan) -> Iterator[Alert]:
    """An average relevance that is low, or lower than it used to be."""
    evaluator, fall = plan.settings.evaluators.relevance, plan.settings.relevance_fall
    if evaluator not in plan.evaluators:
        return
    about, link = f'{EVALUATION}="{evaluator}"', plan.failed(evaluator)
    for scope in plan.scopes("relevance_mean"):
        highest = series("agent_eval:score:mean_upper", about, scope.matcher, plan.only)
        yield plan.alert(
            "AgentEvalRelevanceLow",
            f"min without (window, {EVALUATOR}) ({highest} < {scope.limit:g})",
            link,
            service=scope.service,
            keep=plan.keep,
            limit=f"{scope.limit:g}",
        )
    yield plan.alert(
        "AgentEvalRelevanceFalling",
        _fall(plan, "score:mean", fall, (about, plan.only)),
        link,
        keep=plan.keep,
        fall=f"{fall:g}",
        past=duration(plan.settings.windows[-1]),
    )


def bias(plan: Plan) -> Iterator[Alert]:
    """Answers to one group fail more often than those to the rest, by more than chance gives to that many groups.

    The chance that a normal variable exceeds z is at most exp(-z^2/2): with m groups under test, a squared z beyond
    2 ln(m / significance) holds the chance of one false alarm among all of them below the significance (Bonferroni).
    """
    tests, difference = "agent_eval:segment:chi_squared", plan.settings.bias_difference
    tested = series(tests, plan.only) if plan.only else tests
    critical = f"scalar(2 * ln(count({tested}) / {plan.settings.significance:g}))"
    youden = "(agent_eval:detector:sensitivity - agent_eval:detector:false_positives)"
    apart = series("agent_eval:segment:difference", plan.only) if plan.only else "agent_eval:segment:difference"
    true = f"({apart} / on ({EVALUATOR}) group_left () {youden} or {apart})"
    yield plan.alert(
        "AgentEvalBiasDetected",
        f"max without (window, {EVALUATOR}) (\n{true} >= {difference:g}\nand\n{tested} > {critical}\n)",
        plan.numbers("agent_eval:segment_flagged:ratio"),
        keep=plan.keep,
        difference=_percent(difference),
    )


def errors(plan: Plan) -> Iterator[Alert]:
    """Evaluations fail more than twice as often as usual, both at the ends that favour calm."""
    limit, longest = plan.settings.error_rate, duration(plan.settings.windows[-1])

    def expression(window: float) -> str:
        now = series("agent_eval:errors:ratio_lower", f'window="{duration(window)}"')
        past = series("agent_eval:errors:ratio_upper", f'window="{longest}"')
        usual = f"{now} <= ignoring (window) (2 * {past} offset {duration(window)})"
        return f"({now} > {limit:g} unless ignoring (window) {usual})"

    yield plan.alert(
        "AgentEvalEvaluationErrorSpike",
        f"max without (window) (\n{any_of(map(expression, plan.settings.windows))}\n)",
        plan.numbers(
            f"sum by ({EVALUATION}, {catalogue.ERROR_TYPE.prometheus}) "
            f"(rate({catalogue.EVALUATION_ERRORS.prometheus_sample}[5m]))"
        ),
        keep=plan.keep,
    )


def coverage(plan: Plan) -> Iterator[Alert]:
    """Answers that could have been scored were not: few are covered, or fewer than there used to be."""
    link = plan.numbers(f"sum by ({SERVICE}, {EVALUATION}, {catalogue.REASON.prometheus}) (rate({_RAW}[5m]))")
    for scope in plan.scopes("coverage"):
        highest = series("agent_eval:coverage:ratio_upper", scope.matcher, plan.only)
        yield plan.alert(
            "AgentEvalCoverageLow",
            f"min without (window) ({highest} < {scope.limit:g})",
            link,
            service=scope.service,
            keep=plan.keep,
            limit=_percent(scope.limit),
        )
    fall = plan.settings.coverage_fall
    falling = _fall(plan, "coverage:ratio", fall, (plan.only,))
    yield plan.alert("AgentEvalCoverageFalling", falling, link, keep=plan.keep, fall=_percent(fall))


def silence(plan: Plan) -> Iterator[Alert]:
    """No numbers, or no answers where some are usual; and the heartbeat that says when alerting itself is dead."""
    up = f"up{{job={quoted(plan.settings.job)}}}"
    down, link, wait = f"{up} == 0", plan.numbers(up), plan.settings.windows[0] / 30
    gone = f"{down}\nor\nabsent({catalogue.RECEIVED.prometheus_sample}) unless on () {down}"
    yield plan.alert("AgentEvalGatewaySilent", gone, link, wait=wait)
    seen = plan.numbers("agent_eval:answers:increase")
    if unusual := [*_unusual_silence(plan)]:
        expr = f"max without (window) (\n{any_of(unusual)}\n)"
        yield plan.alert("AgentEvalServiceSilent", expr, seen, wait=wait)
    for name, service in sorted(plan.settings.services.items()):
        if service.silence is not None and (not plan.services or name in plan.services):
            time = duration(service.silence)
            heard = f"sum by ({SERVICE}) (increase({series(_RAW, f'{SERVICE}={quoted(name)}')}[{time}])) > 0"
            expected = f'label_replace(vector(1), "{SERVICE}", {quoted(name.replace("$", "$$"))}, "", "")'
            expr = f"{expected}\nunless on ({SERVICE})\n{heard}"
            yield plan.alert("AgentEvalListedServiceSilent", expr, seen, service=name, silence=time)
    yield plan.alert("AgentEvalHeartbeat", "vector(1)", link)


def _unusual_silence(plan: Plan) -> Iterator[str]:
    """Yield for each window: no answers now, but enough of them at this time in every longer window's past.

    With the default windows: an hour without answers, where the same hour yesterday and a week ago had some. Weekends
    and nights have a quiet past of their own.
    """
    windows = plan.settings.windows
    for number, window in enumerate(windows[:-1]):
        counted = series("agent_eval:answers:increase", f'window="{duration(window)}"', plan.only)
        expected, *more = (f"({counted} offset {duration(past)})" for past in windows[number + 1 :])
        for past in more:
            expected = f"(({expected} <= {past}) or ({past} < {expected}))"
        yield f"(({expected} >= {USUAL_ANSWERS}) unless ({counted} > 0))"


def _fall(plan: Plan, name: str, fall: float, matchers: Iterable[str]) -> str:
    """Return the highest value now where it is lower, by more than a fall, than the lowest of the past.

    The past is the longest window, ending where the present one begins: slow drift shows in the longest window.
    """
    windows, matchers = plan.settings.windows, tuple(matchers)

    def expression(window: float) -> str:
        now = series(f"agent_eval:{name}_upper", f'window="{duration(window)}"', *matchers)
        past = series(f"agent_eval:{name}_lower", f'window="{duration(windows[-1])}"', *matchers)
        return f"({now} < ignoring (window) (({past} offset {duration(window)}) - {fall:g}))"

    return f"min without (window, {EVALUATOR}) (\n{any_of(map(expression, windows))}\n)"


def _percent(share: float) -> str:
    return f"{share * 100:g} %"
