from annotation_samples import SPAN_ID, TRACE_ID, Clock, judged, new_metrics, toxic
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_classic

from otel_agent_eval.annotation import catalogue
from otel_agent_eval.annotation.catalogue import Bound, Drop, Lack, Refusal, Transport
from otel_agent_eval.annotation.collector import TRANSLATIONS
from otel_agent_eval.signals import Signal

OPENMETRICS = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,*/*;q=0.1"


def test_a_client_that_asks_for_openmetrics_gets_it_and_others_the_classic_text() -> None:
    metrics = new_metrics()
    assert metrics.page(OPENMETRICS)[1] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    for accept in ("", "*/*", "text/html", "text/plain;version=0.0.4"):
        body, content_type = metrics.page(accept)
        assert content_type == "text/plain; version=0.0.4; charset=utf-8"
        assert not body.endswith(b"# EOF\n")


def test_both_pages_hold_the_same_series() -> None:
    metrics = new_metrics()
    metrics.answers.record(judged({"toxicity": toxic(0.9)}, service='a "quoted"\\ name', weight=1.5))
    first = list(parse_classic(metrics.page()[0].decode()))
    second = list(parse_openmetrics(metrics.page(OPENMETRICS)[0].decode()))
    assert {(s.name, *s.labels.items(), s.value) for f in first for s in f.samples} == {
        (s.name, *s.labels.items(), s.value) for f in second for s in f.samples
    }
    assert any(s.labels.get("service_name") == 'a "quoted"\\ name' for f in second for s in f.samples)


def test_the_page_describes_every_metric_of_the_catalogue() -> None:
    families = {family.name: family for family in parse_openmetrics(new_metrics().page(OPENMETRICS)[0].decode())}
    metrics = [*catalogue.METRICS, *(translation.metric for translation in TRANSLATIONS)]
    assert list(families) == [metric.prometheus for metric in metrics]
    for metric in catalogue.METRICS:
        assert families[metric.prometheus].type == metric.instrument
        assert families[metric.prometheus].documentation == metric.description


def test_exemplars_lead_from_a_bucket_and_a_count_to_the_answer() -> None:
    metrics = new_metrics(Clock(1234.5))
    metrics.answers.record(judged({"toxicity": toxic(0.93)}))
    families = parse_openmetrics(metrics.page(OPENMETRICS)[0].decode())
    found = {s.name: s.exemplar for family in families for s in family.samples if s.exemplar}
    assert set(found) == {
        "agent_eval_score_bucket",
        "agent_eval_evaluations_total",
        "agent_eval_evaluations_raw_total",
    }
    bucket = found["agent_eval_score_bucket"]
    assert bucket.labels == {"trace_id": TRACE_ID, "span_id": SPAN_ID}
    assert (bucket.value, float(bucket.timestamp)) == (0.93, 1234.5)


def test_the_gateways_own_series_of_the_closed_lists_are_zero_from_the_start() -> None:
    families = {f.name: f for f in parse_openmetrics(new_metrics().page(OPENMETRICS)[0].decode())}
    expected = {
        catalogue.RECEIVED: len(Signal) * len(Transport),
        catalogue.REFUSED: len(Signal) * len(Transport) * len(Refusal),
        catalogue.FORWARDED: len(Signal),
        catalogue.DROPPED: len(Signal) * len(Drop),
        catalogue.QUEUED: len(Signal),
        catalogue.HELD: len(Lack),
        catalogue.EVICTIONS: len(Bound),
    }
    for metric, count in expected.items():
        assert [sample.value for sample in families[metric.prometheus].samples] == [0] * count


def test_the_gateways_own_doings_are_counted() -> None:
    metrics = new_metrics()
    gateway = metrics.gateway
    gateway.received(Signal.TRACES, Transport.GRPC, 5)
    gateway.refused(Signal.LOGS, Transport.HTTP, Refusal.TOO_LARGE)
    gateway.forwarded(Signal.TRACES, "otlp/tempo", 4)
    gateway.dropped(Signal.TRACES, "otlp/tempo", Drop.REJECTED, 1)
    gateway.queued(Signal.TRACES, "otlp/tempo", 7)
    gateway.queued(Signal.TRACES, "otlp/tempo", 3)
    gateway.held(Lack.DOCUMENTS, 2)
    gateway.evicted(Bound.TRACES, 1)
    families = parse_openmetrics(metrics.page(OPENMETRICS)[0].decode())
    found = {s.name: (s.labels, s.value) for f in families if "gateway" in f.name for s in f.samples if s.value}
    assert found == {
        "agent_eval_gateway_received_total": ({"agent_eval_signal": "traces", "agent_eval_transport": "grpc"}, 5),
        "agent_eval_gateway_refused_total": (
            {"agent_eval_signal": "logs", "agent_eval_transport": "http", "agent_eval_refusal": "too_large"},
            1,
        ),
        "agent_eval_gateway_forwarded_total": (
            {"agent_eval_signal": "traces", "agent_eval_destination": "otlp/tempo"},
            4,
        ),
        "agent_eval_gateway_dropped_total": (
            {"agent_eval_signal": "traces", "agent_eval_destination": "otlp/tempo", "agent_eval_drop": "rejected"},
            1,
        ),
        "agent_eval_gateway_queued": ({"agent_eval_signal": "traces", "agent_eval_destination": "otlp/tempo"}, 3),
        "agent_eval_gateway_held": ({"agent_eval_lack": "documents"}, 2),
        "agent_eval_gateway_evictions_total": ({"agent_eval_bound": "traces"}, 1),
    }
