"""The dashboard, built with Grafana's own SDK: `python examples/grafana/build.py` writes it as JSON."""

from collections.abc import Iterable

from grafana_foundation_sdk.builders import (
    common,
    dashboard,
    heatmap,
    prometheus,
    stat,
    table,
    tempo,
    timeseries,
)
from grafana_foundation_sdk.models.common import LegendDisplayMode, LegendPlacement
from grafana_foundation_sdk.models.dashboard import (
    Dashboard,
    DashboardLinkType,
    DataSourceRef,
    Threshold,
    ThresholdsMode,
    VariableRefresh,
    VariableSort,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

PROMETHEUS = DataSourceRef(type_val="prometheus", uid="${prometheus}")
TEMPO = DataSourceRef(type_val="tempo", uid="${tempo}")
SERVICE = 'service_name=~"$service"'
AGENT = 'service_name=~"$service",gen_ai_agent_name=~"$agent"'
WINDOW = 'window="$window"'
HALF, THIRD = 12, 8


def build() -> Dashboard:
    """Return the dashboard: overview, one agent, failures, evaluation health, segments."""
    made = (
        dashboard.Dashboard("Answers of agents")
        .uid("agent-eval")
        .description("Scores of otel-agent-eval: what agents answer, and how far the evaluation itself can be trusted.")
        .tags(["otel-agent-eval"])
        .refresh("1m")
        .time("now-24h", "now")
        .timezone("browser")
        .link(
            dashboard.DashboardLink("Alerts")
            .type(DashboardLinkType.LINK)
            .url('/explore?schemaVersion=1&panes={"a":{"queries":[{"refId":"A","expr":"ALERTS"}]}}')
        )
        .with_variable(dashboard.DatasourceVariable("prometheus").type("prometheus").label("Prometheus"))
        .with_variable(dashboard.DatasourceVariable("tempo").type("tempo").label("Tempo"))
        .with_variable(_labels("service", "service_name", "agent_eval_evaluations_raw_total"))
        .with_variable(_labels("agent", "gen_ai_agent_name", f"agent_eval_evaluations_raw_total{{{SERVICE}}}"))
        .with_variable(dashboard.CustomVariable("window").label("Over").values("1h,1d,7d"))
    )
    for title, panels in (
        ("Overview", _overview()),
        ("One agent", _agent()),
        ("Failures", _failures()),
        ("Evaluation health", _health()),
        ("Segments", _segments()),
    ):
        made = made.with_row(dashboard.Row(title))
        for panel in panels:
            made = made.with_panel(panel)
    return made.build()


def _overview() -> Iterable[timeseries.Panel | stat.Panel]:
    last = f'max(agent_eval_last_severe_failure_timestamp_seconds{{gen_ai_evaluation_name="toxicity",{SERVICE}}})'
    yield _stat("Last toxic answer", f"({last} > 0) * 1000", "dateTimeFromNow", "By the paging threshold.")
    yield _stat(
        "Answers a day", f'sum(agent_eval:answers:increase{{{SERVICE},window="1d"}})', "short", "Seen, scored or not."
    )
    yield _stat(
        "Alerts",
        'count(ALERTS{alertname=~"AgentEval.+",alertname!="AgentEvalHeartbeat",alertstate="firing"}) or vector(0)',
        "short",
        "Firing now.",
        red=1,
    )
    rate = f'gen_ai_evaluation_name="faithfulness",{SERVICE},{WINDOW}'
    yield _lines(
        "Hallucination rate",
        "percentunit",
        ("{{service_name}} {{gen_ai_agent_name}}", f"agent_eval:corrected:ratio{{{rate}}}"),
        ("{{service_name}} {{gen_ai_agent_name}} at least", f"agent_eval:corrected:ratio_lower{{{rate}}}"),
        text="Corrected by the evaluator's measured errors; alerts look at the lower line.",
    )
    about = f'gen_ai_evaluation_name="relevance",{SERVICE},{WINDOW}'
    yield _lines(
        "Relevance",
        "percentunit",
        ("{{service_name}} {{gen_ai_agent_name}}", f"agent_eval:score:mean{{{about}}}"),
        text="The average score.",
    )


def _agent() -> Iterable[timeseries.Panel | heatmap.Panel]:
    shown = "{{gen_ai_evaluation_name}}"
    yield _lines(
        "Failed answers",
        "percentunit",
        (shown, f"agent_eval:flagged:ratio{{{AGENT},{WINDOW}}}"),
        (f"{shown} at least", f"agent_eval:flagged:ratio_lower{{{AGENT},{WINDOW}}}"),
        (f"{shown} at most", f"agent_eval:flagged:ratio_upper{{{AGENT},{WINDOW}}}"),
        text="As flagged, without correction.",
    )
    failed = f'agent_eval_evaluations_total{{{AGENT},gen_ai_evaluation_score_label="fail"}}'
    yield _lines(
        "Failures by model, with their traces",
        "short",
        (
            f"{shown} {{{{gen_ai_request_model}}}}",
            f"sum by (gen_ai_evaluation_name, gen_ai_request_model) (increase({failed}[$__rate_interval]))",
        ),
        exemplars=True,
        text="A point opens the trace of a failed answer.",
    )
    for name in ("toxicity", "faithfulness", "relevance"):
        buckets = f'agent_eval_score_bucket{{{AGENT},gen_ai_evaluation_name="{name}"}}'
        yield (
            heatmap.Panel()
            .title(f"Scores of {name}")
            .datasource(PROMETHEUS)
            .span(THIRD)
            .height(8)
            .with_target(
                prometheus.Dataquery()
                .expr(f"sum by (le) (increase({buckets}[$__rate_interval]))")
                .legend_format("{{le}}")
                .format(PromQueryFormat.HEATMAP)
                .exemplar(True)
                .ref_id("A")
            )
        )


def _failures() -> Iterable[table.Panel]:
    for title, condition in (
        ("Toxic answers", 'span.agent_eval.toxicity.label = "fail"'),
        ("Answers without support", 'span.agent_eval.faithfulness.label = "fail"'),
        ("Answers beside the question", 'span.agent_eval.relevance.label = "fail"'),
        ("Evaluations that failed", 'span.agent_eval.toxicity.outcome = "failed"'),
    ):
        query = f'{{ {condition} && resource.service.name =~ "$service" }}'
        yield (
            table.Panel()
            .title(title)
            .datasource(TEMPO)
            .span(HALF)
            .height(8)
            .with_target(tempo.TempoQuery().query_type("traceql").query(query).limit(20).ref_id("A"))
        )


def _health() -> Iterable[timeseries.Panel]:
    raw = f"agent_eval_evaluations_raw_total{{{SERVICE}}}"
    skipped = f'agent_eval_evaluations_raw_total{{{SERVICE},agent_eval_outcome="skipped"}}'
    errors = "agent_eval_evaluation_errors_total[$__rate_interval]"
    duration = "rate(agent_eval_evaluation_duration_seconds_bucket[$__rate_interval])"
    yield _lines(
        "Coverage",
        "percentunit",
        ("{{service_name}} {{gen_ai_evaluation_name}}", f"agent_eval:coverage:ratio{{{SERVICE},{WINDOW}}}"),
        text="Scored, of what could have been.",
    )
    yield _lines(
        "Why there is no score",
        "short",
        ("{{agent_eval_reason}}", f"sum by (agent_eval_reason) (increase({skipped}[$__rate_interval]))"),
    )
    yield _lines(
        "Failed evaluations", "percentunit", ("{{gen_ai_evaluation_name}}", f"agent_eval:errors:ratio{{{WINDOW}}}")
    )
    yield _lines(
        "Errors",
        "short",
        (
            "{{gen_ai_evaluation_name}} {{error_type}}",
            f"sum by (gen_ai_evaluation_name, error_type) (increase({errors}))",
        ),
    )
    slowest = f"histogram_quantile(0.99, sum by (le, gen_ai_evaluation_name) ({duration}))"
    yield _lines("Time to a verdict, 99 of 100", "s", ("{{gen_ai_evaluation_name}}", slowest))
    yield _lines(
        "Outcomes",
        "short",
        ("{{agent_eval_outcome}}", f"sum by (agent_eval_outcome) (increase({raw}[$__rate_interval]))"),
    )
    received = "rate(agent_eval_gateway_received_total[$__rate_interval])"
    by = "agent_eval_signal, agent_eval_transport"
    shown = "{{agent_eval_signal}} {{agent_eval_transport}}"
    yield _lines("Received", "short", (shown, f"sum by ({by}) ({received})"))
    yield _lines(
        "Refused, dropped, waiting",
        "short",
        (
            "refused {{agent_eval_refusal}}",
            "sum by (agent_eval_refusal) (rate(agent_eval_gateway_refused_total[$__rate_interval]))",
        ),
        (
            "dropped {{agent_eval_destination}}",
            "sum by (agent_eval_destination) (rate(agent_eval_gateway_dropped_total[$__rate_interval]))",
        ),
        ("queued {{agent_eval_destination}}", "sum by (agent_eval_destination) (agent_eval_gateway_queued)"),
        ("held for {{agent_eval_lack}}", "sum by (agent_eval_lack) (agent_eval_gateway_held)"),
    )


def _segments() -> Iterable[timeseries.Panel]:
    shown = "{{gen_ai_evaluation_name}} {{segment}}={{segment_value}}"
    text = "Groups with few answers are not compared, nor those folded together because there were too many."
    compared = f'{SERVICE},window=~"1d|7d"'
    yield _lines(
        "Failed answers by segment",
        "percentunit",
        (shown, f"agent_eval:segment_flagged:ratio{{{compared}}}"),
        text=text,
    )
    yield _lines("Difference to all others", "percentunit", (shown, f"agent_eval:segment:difference{{{compared}}}"))
    yield _lines(
        "Beyond chance",
        "short",
        (shown, f"agent_eval:segment:chi_squared{{{compared}}}"),
        text="Above 2 ln(number of groups / significance) it cannot be chance.",
    )
    yield _lines("Answers by segment", "short", (shown, f"agent_eval:segment_scored:increase{{{compared}}}"))


def _labels(name: str, label: str, series: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .label(name.capitalize())
        .datasource(PROMETHEUS)
        .query(f"label_values({series}, {label})")
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
    )


def _lines(
    title: str, unit: str, *queries: tuple[str, str], text: str = "", exemplars: bool = False
) -> timeseries.Panel:
    panel = (
        timeseries.Panel()
        .title(title)
        .description(text)
        .datasource(PROMETHEUS)
        .unit(unit)
        .span(HALF)
        .height(8)
        .min(0)
        .legend(
            common.VizLegendOptions()
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(True)
        )
    )
    for number, (legend, expression) in enumerate(queries):
        query = prometheus.Dataquery().expr(expression).legend_format(legend).ref_id("ABCDEF"[number])
        panel = panel.with_target(query.exemplar(exemplars))
    return panel


def _stat(title: str, expression: str, unit: str, text: str, red: float | None = None) -> stat.Panel:
    steps = [Threshold(value=None, color="green")] + ([Threshold(value=red, color="red")] if red else [])
    return (
        stat.Panel()
        .title(title)
        .description(text)
        .datasource(PROMETHEUS)
        .unit(unit)
        .span(THIRD)
        .height(4)
        .no_value("none")
        .thresholds(dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
        .with_target(prometheus.Dataquery().expr(expression).instant().ref_id("A"))
    )
