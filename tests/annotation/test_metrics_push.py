from annotation_samples import SPAN_ID, TRACE_ID, Clock, Metrics, good, judged, named_resource, new_metrics, toxic
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.proto.metrics.v1.metrics_pb2 import HistogramDataPoint, Metric
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from otel_agent_eval import __version__
from otel_agent_eval.conventions.span import decode_attributes

CUMULATIVE = 2


def pushed(metrics: Metrics) -> dict[str, Metric]:
    (resource_metrics,) = metrics.push().resource_metrics
    (scope_metrics,) = resource_metrics.scope_metrics
    return {metric.name: metric for metric in scope_metrics.metrics}


def scores_of(metrics: Metrics) -> HistogramDataPoint:
    points = pushed(metrics)["agent_eval.score"].histogram.data_points
    return next(point for point in points if point.count)


def test_a_push_is_the_gateways_own_in_its_own_scope() -> None:
    (resource_metrics,) = new_metrics().push().resource_metrics
    (scope_metrics,) = resource_metrics.scope_metrics
    assert resource_metrics.resource == named_resource("otel-agent-eval")
    assert (scope_metrics.scope.name, scope_metrics.scope.version) == ("otel_agent_eval", __version__)


def test_counters_are_monotonic_cumulative_sums_and_gauges_are_gauges() -> None:
    clock = Clock(1000.0)
    metrics = new_metrics(clock)
    clock.seconds = 1060.0
    found = pushed(metrics)
    for name in ("agent_eval.evaluations", "agent_eval.evaluations.raw", "agent_eval.gateway.received"):
        assert found[name].sum.is_monotonic
        assert found[name].sum.aggregation_temporality == CUMULATIVE
        assert {p.start_time_unix_nano for p in found[name].sum.data_points} == {1000 * 10**9}
        assert {p.time_unix_nano for p in found[name].sum.data_points} == {1060 * 10**9}
    assert found["agent_eval.last_failure.timestamp"].WhichOneof("data") == "gauge"
    assert found["agent_eval.last_failure.timestamp"].unit == "s"
    assert found["agent_eval.gateway.held"].WhichOneof("data") == "gauge"


def test_the_score_histogram_is_what_the_sdk_would_send() -> None:
    metrics = new_metrics()
    scores = (0.0, 0.1, 0.54, 0.55, 0.56, 0.7, 1.0)
    for score in scores:
        metrics.answers.record(judged({"faithfulness": good(score)}))
    ours = scores_of(metrics)

    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    histogram = provider.get_meter("m").create_histogram(
        "s", explicit_bucket_boundaries_advisory=list(ours.explicit_bounds)
    )
    for score in scores:
        histogram.record(score)
    data = reader.get_metrics_data()
    assert data is not None
    theirs = encode_metrics(data).resource_metrics[0].scope_metrics[0].metrics[0].histogram
    provider.shutdown()

    assert theirs.aggregation_temporality == CUMULATIVE
    assert list(ours.bucket_counts) == list(theirs.data_points[0].bucket_counts)
    assert (ours.count, ours.sum) == (theirs.data_points[0].count, theirs.data_points[0].sum)
    assert 0.55 in ours.explicit_bounds


def test_a_histograms_buckets_sum_to_its_count() -> None:
    metrics = new_metrics()
    for score in (0.1, 0.5, 0.99):
        metrics.answers.record(judged({"toxicity": toxic(score), "relevance": good(score)}, weight=3.3))
    for metric in pushed(metrics).values():
        for point in metric.histogram.data_points:
            assert sum(point.bucket_counts) == point.count
            assert len(point.bucket_counts) == len(point.explicit_bounds) + 1


def test_exemplars_carry_the_answers_ids_and_are_sent_once() -> None:
    clock = Clock(1000.0)
    metrics = new_metrics(clock)
    metrics.answers.record(judged({"toxicity": toxic(0.93)}))
    clock.seconds = 1010.0
    (exemplar,) = scores_of(metrics).exemplars
    assert (exemplar.trace_id.hex(), exemplar.span_id.hex()) == (TRACE_ID, SPAN_ID)
    assert (exemplar.as_double, exemplar.time_unix_nano) == (0.93, 1000 * 10**9)
    clock.seconds = 1020.0
    assert not scores_of(metrics).exemplars


def test_an_attribute_without_a_value_is_left_out() -> None:
    metrics = new_metrics(segments=("user.segment",))
    metrics.answers.record(judged({"toxicity": toxic(0.9)}, segments={"user.segment": "new"}, agent=""))
    point = next(p for p in pushed(metrics)["agent_eval.evaluations.raw"].sum.data_points if p.as_double)
    assert decode_attributes(point.attributes) == {
        "gen_ai.evaluation.name": "toxicity",
        "agent_eval.evaluator": "builtin/toxicity@3",
        "agent_eval.outcome": "scored",
        "gen_ai.evaluation.score.label": "fail",
        "service.name": "shop",
        "gen_ai.request.model": "gpt-4o",
        "user.segment": "new",
    }
