"""Recording rules: for each window the rates, and between which bounds they lie.

What is recorded for all windows has the label `window`, so that one alert rule looks at all of them. Shares are of the
weighted counts, an estimate for all answers; their bounds rest on the number of evaluations that were really made.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from otel_agent_eval.alerts.error_rates import ErrorRates, quantile
from otel_agent_eval.alerts.promql import LOOKBACK, duration, increase, pattern, quoted, series, wilson
from otel_agent_eval.alerts.rules import Group, Recording
from otel_agent_eval.annotation import catalogue
from otel_agent_eval.annotation.catalogue import OTHER
from otel_agent_eval.annotation.definitions import prometheus_label
from otel_agent_eval.config.alerts import Alerts
from otel_agent_eval.evaluation.evaluation import Label, Outcome, Reason

SERVICE: Final = catalogue.SERVICE_NAME.prometheus
AGENT: Final = catalogue.AGENT_NAME.prometheus
EVALUATION: Final = catalogue.EVALUATION_NAME.prometheus
EVALUATOR: Final = catalogue.EVALUATOR.prometheus
VALUE: Final = "segment_value"
_WEIGHTED: Final = catalogue.EVALUATIONS.prometheus_sample
_RAW: Final = catalogue.EVALUATIONS_RAW.prometheus_sample
_SCORE: Final = catalogue.SCORES.prometheus_sample
_BY: Final = (SERVICE, AGENT, EVALUATION, EVALUATOR)
_SCORED: Final = f'{catalogue.OUTCOME.prometheus}="{Outcome.SCORED}"'
_FLAGGED: Final = f'{catalogue.EVALUATION_LABEL.prometheus}="{Label.FAIL}"'
_TRIED: Final = f'{catalogue.OUTCOME.prometheus}=~"{Outcome.SCORED}|{Outcome.FAILED}"'
NOT_ELIGIBLE: Final = (
    Reason.NO_ANSWER, Reason.NO_QUESTION, Reason.NO_CONTEXT, Reason.NOT_USER_FACING, Reason.DUPLICATE,
    Reason.SAMPLED_OUT, Reason.FILTERED,
)  # fmt: skip
"""Why a span needed no score. For every other reason an answer went unprotected."""
_ELIGIBLE: Final = f'{catalogue.REASON.prometheus}!~"{"|".join(NOT_ELIGIBLE)}"'
_SLOWEST: Final = LOOKBACK * 0.4
_LOOKS: Final = 60
"""How often a window is looked at anew while it passes, as far as what is recorded does not go stale."""
MIN_EXPECTED: Final = 5
"""Flags that chance would give a segment: with fewer, the test of two shares does not hold."""


class Recordings:
    """Makes the recording rules of some services (all, where none is named)."""

    def __init__(
        self, settings: Alerts, rates: Mapping[str, ErrorRates], segments: Mapping[str, Sequence[str]]
    ) -> None:
        """`segments` holds the attributes to compare and their values (none for all that appear)."""
        self._settings = settings
        self._rates = rates
        self._segments = segments
        self._z = quantile(settings.significance)

    def groups(self, services: Sequence[str] = ()) -> Iterator[Group]:
        """Yield the groups: what is known of the evaluators, then one for each window."""
        if self._rates:
            yield Group("agent-eval-detectors", 60.0, [*self._detectors()])
        only = f"{SERVICE}=~{pattern(services)}" if services else ""
        compared = self._settings.windows[1:] or self._settings.windows
        for window in self._settings.windows:
            rules = [*self._rules(window, only), *(self._bias(window, only) if window in compared else ())]
            yield Group(f"agent-eval-{duration(window)}", interval(window), rules)

    def max_series(self, evaluators: int, combinations: int) -> int:
        """Return how many series the rules record at most, with one version of each evaluator at a time.

        `combinations` is the cap on combinations of service, agent, model and segments that the gateway keeps.
        """
        each = {"answers": combinations, "tried": evaluators, "errors": evaluators, "detector": 1}
        rules = [rule for group in self.groups() for rule in group.rules if isinstance(rule, Recording)]
        return sum(each.get(rule.record.split(":")[1], combinations * evaluators) for rule in rules)

    def _detectors(self) -> Iterator[Recording]:
        """Yield the error rates of the evaluators, as numbers to join with."""
        for version, rates in self._rates.items():
            sensitivity, false_positives = rates.highest
            for name, value in (
                ("sensitivity", rates.sensitivity),
                ("false_positives", rates.false_positives),
                ("sensitivity_highest", sensitivity),
                ("false_positives_highest", false_positives),
            ):
                yield Recording(f"agent_eval:detector:{name}", f"vector({value:.6g})", {EVALUATOR: version})

    def _rules(self, window: float, only: str) -> Iterator[Recording]:
        labels = {"window": duration(window)}

        def grown(metric: str, by: Iterable[str], *matchers: str) -> str:
            return increase(series(metric, only, *matchers), window, by)

        answers = grown(_RAW, (SERVICE, EVALUATION))
        yield Recording("agent_eval:answers:increase", f"max by ({SERVICE}) ({answers})", labels)
        yield Recording("agent_eval:scored:increase", grown(_RAW, _BY, _SCORED), labels)
        flagged, scored = grown(_WEIGHTED, _BY, _FLAGGED), grown(_WEIGHTED, _BY, _SCORED)
        yield from self._share("flagged:ratio", f"{flagged}\n/\n({scored} > 0)", "scored", labels)
        yield from self._corrected(labels)
        total, count = grown(f"{_SCORE}_sum", _BY), grown(f"{_SCORE}_count", _BY)
        yield from self._share("score:mean", f"{total}\n/\n({count} > 0)", "scored", labels)
        by = (SERVICE, EVALUATION)
        yield Recording("agent_eval:eligible:increase", grown(_RAW, by, _ELIGIBLE), labels)
        covered = f"{grown(_RAW, by, _SCORED)}\n/ ignoring (window)\n({_recorded('eligible:increase', labels)} > 0)"
        yield from self._share("coverage:ratio", covered, "eligible", labels)
        yield Recording("agent_eval:tried:increase", grown(_RAW, (EVALUATION,), _TRIED), labels)
        failed = f'{catalogue.OUTCOME.prometheus}="{Outcome.FAILED}"'
        broken = (
            f"{grown(_RAW, (EVALUATION,), failed)}\n/ ignoring (window)\n({_recorded('tried:increase', labels)} > 0)"
        )
        yield from self._share("errors:ratio", broken, "tried", labels)

    def _share(self, name: str, expression: str, total: str, labels: Mapping[str, str]) -> Iterator[Recording]:
        """Yield a share, or a mean of what lies in [0, 1], and its bounds: Wilson's are wide enough for both."""
        yield Recording(f"agent_eval:{name}", f"clamp({expression}, 0, 1)", labels)
        number = _recorded(f"{total}:increase", labels)
        enough = f"{number} >= {self._settings.min_answers}"
        for end, side in (("lower", "-"), ("upper", "+")):
            bound = wilson(_recorded(name, labels), number, self._z, side)
            yield Recording(f"agent_eval:{name}_{end}", f"{bound}\nand {enough}", labels)

    def _corrected(self, labels: Mapping[str, str]) -> Iterator[Recording]:
        """Yield what the flagged share says about the true one; as it is where an evaluator's errors are not known."""
        for name, suffix in (("ratio", ""), ("ratio_lower", "_highest")):
            flagged = _recorded(f"flagged:{name}", labels)
            if not self._rates:
                yield Recording(f"agent_eval:corrected:{name}", flagged, labels)
                continue
            sensitivity, wrong = (f"agent_eval:detector:{kind}{suffix}" for kind in ("sensitivity", "false_positives"))
            join = f"on ({EVALUATOR}) group_left ()"
            expression = f"clamp(({flagged} - {join} {wrong}) / {join} ({sensitivity} - {wrong}), 0, 1)\nor\n{flagged}"
            yield Recording(f"agent_eval:corrected:{name}", expression, labels)

    def _bias(self, window: float, only: str) -> Iterator[Recording]:
        for segment, values in self._segments.items():
            yield from self._segment(segment, values, window, only)

    def _segment(self, segment: str, values: Sequence[str], window: float, only: str) -> Iterator[Recording]:
        """Yield each value of a segment beside the rest: how many, how many flagged, and the test of two shares.

        Answers without a value, and those folded together because there were too many values, are not compared. What
        small groups got is part of the rest, and has no rate of its own: it would say something of single people.
        """
        labels = {"window": duration(window), "segment": segment}
        label = prometheus_label(segment)
        chosen = f"{label}=~{pattern(values)}" if values else f'{label}!="",{label}!="{OTHER}"'
        by = ", ".join((SERVICE, EVALUATION, EVALUATOR, VALUE))

        def cells(metric: str, matcher: str) -> str:
            about_answers = f'{EVALUATION}!="input_toxicity"'
            grown = f"increase({series(metric, only, matcher, about_answers, chosen)}[{duration(window)}])"
            return f'sum by ({by}) (label_replace({grown}, "{VALUE}", "$1", {quoted(label)}, "(.+)"))'

        def at(name: str) -> str:
            return _recorded(name, labels)

        def rest(name: str) -> str:
            return f"(sum without ({VALUE}) ({at(name)})) - ignoring ({VALUE}) group_right () {at(name)}"

        yield Recording("agent_eval:segment_scored:increase", f"{cells(_RAW, _SCORED)} > 0", labels)
        share = f"{cells(_WEIGHTED, _FLAGGED)}\n/\n({cells(_WEIGHTED, _SCORED)} > 0)"
        hits = f"({share})\n* ignoring (window, segment)\n{at('segment_scored:increase')}"
        yield Recording("agent_eval:segment_flagged:increase", hits, labels)
        large = f"({at('segment_scored:increase')} >= {self._settings.min_answers})"
        yield Recording("agent_eval:segment_flagged:ratio", f"{at('segment_flagged:increase')} / {large}", labels)
        yield Recording("agent_eval:segment_rest_scored:increase", f"{rest('segment_scored:increase')} > 0", labels)
        yield Recording("agent_eval:segment_rest_flagged:increase", rest("segment_flagged:increase"), labels)
        own, others = at("segment_scored:increase"), at("segment_rest_scored:increase")
        both = f"({at('segment_flagged:increase')} + {at('segment_rest_flagged:increase')}) / ({own} + {others})"
        yield Recording("agent_eval:segment_pooled:ratio", both, labels)
        apart = f"{at('segment_flagged:ratio')} - {at('segment_rest_flagged:increase')} / {others}"
        yield Recording("agent_eval:segment:difference", apart, labels)
        pooled, least = at("segment_pooled:ratio"), self._settings.min_answers
        test = f"{at('segment:difference')} ^ 2 / (({pooled} * (1 - {pooled}) > 0) * (1 / {own} + 1 / {others}))"
        enough = [f"{own} >= {least}", f"{others} >= {least}"]
        enough += [f"{pooled} * {number} >= {MIN_EXPECTED}" for number in (own, others)]
        yield Recording("agent_eval:segment:chi_squared", "\nand ".join([test, *enough]), labels)


def interval(window: float) -> float:
    """Return how often a window is looked at, in seconds."""
    return max(1.0, min(window / _LOOKS, _SLOWEST))


def _recorded(name: str, labels: Mapping[str, str]) -> str:
    return series(f"agent_eval:{name}", *(f"{label}={quoted(value)}" for label, value in labels.items()))
