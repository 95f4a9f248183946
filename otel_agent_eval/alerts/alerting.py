"""The alerts: one function for each subject, from the settings to its rules."""

from collections.abc import Iterable, Iterator
from typing import Final

from otel_agent_eval.alerts.error_rates import is_version_of
from otel_agent_eval.alerts.plan import Plan
from otel_agent_eval.alerts.promql import any_of, duration, quoted, series
from otel_agent_eval.alerts.recording import AGENT, EVALUATION, EVALUATOR, SERVICE
from otel_agent_eval.alerts.rules import Alert, Group
from otel_agent_eval.annotation import catalogue

USUAL_ANSWERS: Final = 20
"""So many answers are usual at this hour before their absence is silence."""
_FASTEST: Final = 15.0
_RAW: Final = catalogue.EVALUATIONS_RAW.prometheus_sample


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
    """More unfaithful answers than the limit, at the lowest share that agrees with what was flagged; or than before.

    Nobody is woken because of a share that was corrected by measurements on other people's answers: those may err less
    often. What is wrongly flagged is the same before and after, so a rise is certain without any.
    """
    evaluator, rise = plan.settings.evaluators.faithfulness, plan.settings.hallucination_rise
    if evaluator not in plan.evaluators:
        return
    measured = any(is_version_of(version, evaluator) for version in plan.settings.error_rates)
    for scope in plan.scopes("hallucination_rate"):
        lowest = series("agent_eval:corrected:ratio_lower", f'{EVALUATION}="{evaluator}"', scope.matcher, plan.only)
        yield plan.alert(
            "AgentEvalHighHallucinationRate",
            f"max without (window, {EVALUATOR}) ({lowest} > {scope.limit:g})",
            plan.failed(evaluator),
            service=scope.service,
            keep=plan.keep,
            severity="" if measured else "warning",
            limit=_percent(scope.limit),
            measured="your answers" if measured else "public sets; judge some of yours before you believe it",
        )
    yield plan.alert(
        "AgentEvalHallucinationRising",
        _rise(plan, evaluator, rise),
        plan.failed(evaluator),
        keep=plan.keep,
        rise=_percent(rise),
        past=duration(plan.settings.windows[-1]),
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
    apart = series("agent_eval:segment:difference", plan.only) if plan.only else "agent_eval:segment:difference"
    true = _true_difference(apart)
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


def _rise(plan: Plan, evaluator: str, rise: float) -> str:
    """Return by how much the true rate is higher, at least, than it was at most in the past (as in `_fall`)."""
    windows, matchers = plan.settings.windows, (f'{EVALUATION}="{evaluator}"', plan.only)

    def expression(window: float) -> str:
        now = series("agent_eval:flagged:ratio_lower", f'window="{duration(window)}"', *matchers)
        past = series("agent_eval:flagged:ratio_upper", f'window="{duration(windows[-1])}"', *matchers)
        higher = f"({now} - ignoring (window) ({past} offset {duration(window)}))"
        return f"({_true_difference(higher)} > {rise:g})"

    return f"max without ({EVALUATOR}) (\n{any_of(map(expression, windows))}\n)"


def _true_difference(flagged: str) -> str:
    """Return the difference of true rates behind one of flagged rates: of a difference a detector shows only a part.

    Where an evaluator's errors are not known it is as it was flagged.
    """
    youden = "(agent_eval:detector:sensitivity - agent_eval:detector:false_positives)"
    return f"({flagged} / on ({EVALUATOR}) group_left () {youden} or {flagged})"


def _percent(share: float) -> str:
    return f"{share * 100:g} %"
