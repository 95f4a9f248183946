"""Links of alerts: to the answers, to the numbers, to the runbook. A link is a Go template that Prometheus fills in."""

import json
from urllib.parse import quote, urlencode

from otel_agent_eval.alerts.recording import SERVICE
from otel_agent_eval.annotation.catalogue import SCORE_LABEL
from otel_agent_eval.annotation.definitions import evaluator_attribute
from otel_agent_eval.config.alerts import AlertLinks
from otel_agent_eval.evaluation.evaluation import Label

_SERVICE = f"{{{{ $labels.{SERVICE} | urlquery }}}}"
_HOLE = "SERVICE"
"""Stands for the service while the link around it is encoded."""


def answers_link(links: AlertLinks, evaluator: str) -> str:
    """Return the address at which the answers of the alert's service that failed an evaluator are listed."""
    label = evaluator_attribute(evaluator, SCORE_LABEL.suffix)
    if links.traces == "jaeger":
        query = urlencode({"service": _HOLE, "tags": json.dumps({label: Label.FAIL}), "lookback": "1h"})
        return f"{links.traces_url}/search?{query}".replace(_HOLE, _SERVICE)
    traceql = f'{{ span.{label} = "{Label.FAIL}" && resource.service.name = "{_HOLE}" }}'
    pane = {
        "datasource": links.datasource,
        "queries": [{"refId": "A", "queryType": "traceql", "query": traceql}],
        "range": {"from": "now-1h", "to": "now"},
    }
    panes = quote(json.dumps({"a": pane}, separators=(",", ":")))
    return f"{links.traces_url}/explore?schemaVersion=1&orgId=1&panes={panes}".replace(_HOLE, _SERVICE)


def numbers_link(links: AlertLinks, expression: str) -> str:
    """Return the address at which Prometheus draws an expression."""
    return f"{links.prometheus}/graph?{urlencode({'g0.expr': expression, 'g0.tab': '0', 'g0.range_input': '1d'})}"


def runbook_link(links: AlertLinks, page: str) -> str:
    """Return the address of a runbook."""
    return f"{links.runbooks}/{page}.md"
