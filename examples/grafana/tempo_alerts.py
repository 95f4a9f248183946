"""Grafana's own alert rules on TraceQL metrics, for those without Prometheus.

Counts of spans stand in for the counters, so there is no correction for sampling, and no look further back than Tempo's
own limit for metrics queries. The statistics are those of the Prometheus rules, in Grafana's math expressions, which
drop what one of their queries lacks, and take NaN for an alert: so what is counted in a share is what is bad, and `&&`
stands before every division that could be one by 0.
"""

import math
from collections.abc import Mapping
from typing import Any

from otel_agent_eval.alerts.error_rates import error_rates, quantile
from otel_agent_eval.alerts.recording import MIN_EXPECTED, NOT_ELIGIBLE
from otel_agent_eval.config.alerts import Alerts
from otel_agent_eval.config.processors import DEFAULT_PAGING_THRESHOLDS
from otel_agent_eval.evaluation.evaluation import Reason

TEMPO = "tempo"
PAGES = DEFAULT_PAGING_THRESHOLDS["toxicity"]
Query = Mapping[str, Any]
_ELIGIBLE = "|".join(reason for reason in Reason if reason not in NOT_ELIGIBLE)
_MOST_SEGMENTS = 20
"""Comparisons that the test of segments allows for: math expressions cannot count them."""


def document(settings: Alerts) -> dict[str, Any]:
    """Return the provisioning file, corrected for the errors of the newest built-in evaluator of faithfulness."""
    evaluator = max(
        (name for name in error_rates(settings) if name.startswith("builtin/faithfulness@")),
        key=lambda name: int(name.partition("@")[2]),
    )
    z, least = quantile(settings.significance), settings.min_answers
    by = "by (resource.service.name)"
    scored = 'span.agent_eval.{0}.outcome = "scored"'
    faithfulness = f'{scored.format("faithfulness")} && span.agent_eval.faithfulness.evaluator = "{evaluator}"'
    lower = _wilson("$K", "$N", z, "-")
    segment = "by (resource.service.name, span.user.segment)"
    covered = "span.agent_eval.toxicity.outcome"
    missed = f'({covered} = "failed" || span.agent_eval.toxicity.reason =~ "{_ELIGIBLE}")'
    critical = 2 * math.log(_MOST_SEGMENTS / settings.significance)
    enough = f"$NS >= {least} && $N - $NS >= {least} && $K * $NS >= {MIN_EXPECTED} * $N"
    enough += f" && $K * ($N - $NS) >= {MIN_EXPECTED} * $N"
    apart = "($KS / $NS - ($K - $KS) / ($N - $NS))"
    chance = "($K / $N) * (1 - $K / $N) * (1 / $NS + 1 / ($N - $NS))"
    rules = [
        _rule(
            "toxicity-detected", "Toxicity detected", "critical", "toxicity", "15m",
            "A toxic answer of {{ index $labels `resource.service.name` }} reached somebody",
            {"K": f"{{ span.agent_eval.toxicity.score >= {PAGES:g} }} | count_over_time() {by}"},
            "$K > 0",
        ),
        _rule(
            "high-hallucination-rate", "High hallucination rate", "warning", "hallucination", "3h",
            "Too many answers of {{ index $labels `resource.service.name` }} are not supported by what was retrieved",
            {
                "K": f'{{ {faithfulness} && span.agent_eval.faithfulness.label = "fail" }} | count_over_time() {by}',
                "N": f"{{ {faithfulness} }} | count_over_time() {by}",
            },
            f"$N >= {least} && {lower} > {_flagged_limit(settings, evaluator):.4g}",
        ),
        _rule(
            "relevance-low", "Relevance degradation", "warning", "relevance", "3h",
            "Answers of {{ index $labels `resource.service.name` }} miss the questions",
            {
                "M": f"{{ {scored.format('relevance')} }} | avg_over_time(span.agent_eval.relevance.score) {by}",
                "N": f"{{ {scored.format('relevance')} }} | count_over_time() {by}",
            },
            f"$N >= {least} && {_wilson('$M * $N', '$N', z, '+')} < {settings.relevance_mean:g}",
        ),
        _rule(
            "bias-detected", "Bias detected", "warning", "bias", "3h",
            "{{ index $labels `resource.service.name` }} treats {{ index $labels `span.user.segment` }} worse",
            {
                "KS": f'{{ span.agent_eval.label = "fail" && span.user.segment != nil }} | count_over_time() {segment}',
                "NS": f"{{ span.agent_eval.label != nil && span.user.segment != nil }} | count_over_time() {segment}",
                "K": f'{{ span.agent_eval.label = "fail" && span.user.segment != nil }} | count_over_time() {by}',
                "N": f"{{ span.agent_eval.label != nil && span.user.segment != nil }} | count_over_time() {by}",
            },
            f"{enough} && {apart} >= {settings.bias_difference:g} && {apart} ** 2 > {critical:.4g} * {chance}",
        ),
        _rule(
            "evaluation-errors", "Evaluation error spike", "critical", "evaluation-errors", "1h",
            "The evaluation of toxicity itself fails for {{ index $labels `resource.service.name` }}",
            {
                "K": f'{{ {covered} = "failed" }} | count_over_time() {by}',
                "N": f'{{ {covered} = "scored" || {covered} = "failed" }} | count_over_time() {by}',
            },
            f"$N >= {least} && {lower} > {settings.error_rate:g}",
        ),
        _rule(
            "coverage-low", "Coverage low", "warning", "coverage", "1h",
            "Answers of {{ index $labels `resource.service.name` }} are not checked",
            {
                "K": f"{{ {missed} }} | count_over_time() {by}",
                "N": f'{{ {covered} = "scored" || {missed} }} | count_over_time() {by}',
            },
            f"$N >= {least} && {lower} > {1 - settings.coverage:g}",
        ),
        _rule(
            "silence", "No answers", "critical", "silence", "1h",
            "No answer of any service has arrived for an hour",
            {"N": "{ span.agent_eval.label != nil } | count_over_time()"},
            "$N < 1",
            no_data="Alerting",
        ),
    ]  # fmt: skip
    return {
        "apiVersion": 1,
        "groups": [{"orgId": 1, "name": "agent-eval", "folder": "Answers of agents", "interval": "1m", "rules": rules}],
    }


def _flagged_limit(settings: Alerts, evaluator: str) -> float:
    """Return the flagged share from which on the true one is above the limit for certain."""
    sensitivity, false_positives = error_rates(settings)[evaluator].highest
    return false_positives + settings.hallucination_rate * (sensitivity - false_positives)


def _wilson(hits: str, total: str, z: float, side: str) -> str:
    share = f"({hits}) / {total}"
    spread = f"({share} * (1 - {share}) / {total} + {z * z / 4:.4f} / {total} ** 2) ** 0.5"
    return f"(({share} + {z * z / 2:.4f} / {total} {side} {z:.4f} * {spread}) / (1 + {z * z:.4f} / {total}))"


def _rule(  # noqa: PLR0913 (a rule has so many parts)
    uid: str,
    title: str,
    severity: str,
    runbook: str,
    past: str,
    summary: str,
    queries: Mapping[str, str],
    condition: str,
    *,
    no_data: str = "OK",
) -> dict[str, Any]:
    """Return a rule: TraceQL metrics over the past, each reduced to one number, then one condition."""
    hours = {"m": 60, "h": 3600}[past[-1]] * int(past[:-1])
    data: list[Query] = []
    for name, query in queries.items():
        data.append(
            {
                "refId": f"{name}_series",
                "datasourceUid": TEMPO,
                "relativeTimeRange": {"from": hours, "to": 0},
                "model": {
                    "refId": f"{name}_series",
                    "datasource": {"type": "tempo", "uid": TEMPO},
                    "queryType": "traceql",
                    "query": query,
                    "metricsQueryType": "instant",
                },
            }
        )
        data.append(_expression(name, "reduce", expression=f"{name}_series", reducer="last"))
    data.append(_expression("fires", "math", expression=condition))
    return {
        "uid": f"agent-eval-{uid}",
        "title": title,
        "condition": "fires",
        "data": data,
        "for": "0s",
        "noDataState": no_data,
        "execErrState": "Error",
        "labels": {"severity": severity},
        "annotations": {"summary": summary, "runbook_url": f"{Alerts().links.runbooks}/{runbook}.md"},
    }


def _expression(name: str, kind: str, **fields: str) -> Query:
    model = {"refId": name, "type": kind, "datasource": {"type": "__expr__", "uid": "__expr__"}, **fields}
    return {"refId": name, "datasourceUid": "__expr__", "relativeTimeRange": {"from": 0, "to": 0}, "model": model}
