"""The gateway's numbers under the Collector's names: the same totals, read by the same alerts."""

from annotation_samples import new_metrics
from prometheus_client.parser import text_string_to_metric_families

from otel_agent_eval.annotation import catalogue
from otel_agent_eval.annotation.catalogue import Drop, Refusal, Transport
from otel_agent_eval.annotation.collector import TRANSLATIONS, collector_tables
from otel_agent_eval.annotation.prometheus import page
from otel_agent_eval.signals import Signal


def samples() -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    gateway = new_metrics().gateway
    gateway.received(Signal.TRACES, Transport.GRPC, 7)
    gateway.received(Signal.TRACES, Transport.HTTP, 2)
    gateway.received(Signal.LOGS, Transport.HTTP, 3)
    gateway.refused(Signal.TRACES, Transport.GRPC, Refusal.JOURNAL_FULL, 5)
    gateway.forwarded(Signal.TRACES, "otlp/tempo", 6)
    for drop in Drop:
        gateway.dropped(Signal.TRACES, "otlp/tempo", drop, 1)
    gateway.queue("otlp/tempo", size=900, age=1.0, dead_letters=0)
    gateway.capacity("otlp/tempo", 1000)
    text, _ = page(collector_tables(gateway.tables), "")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def of(name: str, **labels: str) -> float:
    return samples()[name, frozenset(labels.items())]


def test_what_came_in_and_went_out_is_counted_as_a_collector_counts_it() -> None:
    assert of("otelcol_receiver_accepted_spans_total", receiver="otlp", transport="grpc") == 7
    assert of("otelcol_receiver_accepted_spans_total", receiver="otlp", transport="http") == 2
    assert of("otelcol_receiver_accepted_log_records_total", receiver="otlp", transport="http") == 3
    assert of("otelcol_receiver_refused_spans_total", receiver="otlp", transport="grpc") == 5
    assert of("otelcol_exporter_sent_spans_total", exporter="otlp/tempo") == 6


def test_every_drop_is_one_failure_to_send_or_to_keep() -> None:
    failed = of("otelcol_exporter_send_failed_spans_total", exporter="otlp/tempo")
    not_kept = of("otelcol_exporter_enqueue_failed_spans_total", exporter="otlp/tempo")
    assert failed + not_kept == len(Drop)
    assert not_kept == 2


def test_the_usual_alert_on_a_queue_that_fills_works() -> None:
    size = of("otelcol_exporter_queue_size", exporter="otlp/tempo")
    assert size / of("otelcol_exporter_queue_capacity", exporter="otlp/tempo") == 0.9


def test_each_name_is_there_from_the_start_and_once() -> None:
    names = [translation.metric.name for translation in TRANSLATIONS]
    assert len(names) == len(set(names)) == 17
    tables = collector_tables(new_metrics().gateway.tables)
    assert [table.metric.name for table in tables if not table.items()] == []
    assert {t.source for t in TRANSLATIONS} <= set(catalogue.GATEWAY_METRICS)
