"""The parts that benchmarks are made of do what their figures rest on."""

import os
import sys
import time
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))

import machine
from backend import backend
from harness import percentile
from sender import grpc_sender, http_sender
from telemetry import interactions, last_span_id, mixed_request, plain_request

from otel_agent_eval.conventions import could_hold_content
from otel_agent_eval.receivers.decode import count_items, decode_protobuf
from otel_agent_eval.signals import Signal


@pytest.mark.parametrize("signal", list(Signal))
def test_plain_requests_hold_as_many_items_as_asked_and_nothing_to_score(signal: Signal) -> None:
    body = plain_request(signal, 30, seed=1)
    assert count_items(decode_protobuf(signal, body)) == 30
    assert not could_hold_content(body)
    assert could_hold_content(mixed_request(30, seed=1))


def test_interactions_are_all_different_and_can_be_scored() -> None:
    source = interactions(seed=1)
    found = [next(source) for _ in range(50)]
    assert len({interaction.answer for interaction in found}) == 50
    assert len({passage for interaction in found for passage in interaction.passages}) == 250
    assert all(could_hold_content(interaction.body) for interaction in found)


def test_backend_counts_and_reports_what_both_senders_send() -> None:
    body = plain_request(Signal.TRACES, 7, seed=1)
    with backend(watch=True) as target:
        for send in (grpc_sender(target.grpc_endpoint), http_sender(target.http_endpoint)):
            send(Signal.TRACES, body)
        assert target.count(Signal.TRACES) == 14
        arrived: list[bytes] = []
        deadline = time.monotonic() + 10
        while len(arrived) < 14 and time.monotonic() < deadline:
            arrived += [arrival.span_id for arrival in target.arrivals()]
    assert arrived.count(last_span_id(body)) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="benchmarks read what they need from the Linux kernel")
def test_cpu_time_of_a_process_is_that_of_its_own_clock() -> None:
    before = time.process_time()
    measured = machine.cpu_seconds(os.getpid())
    assert before <= measured + 0.01
    assert machine.memory_mb(os.getpid())["rss"] > 1


def test_percentiles_are_values_that_occurred() -> None:
    values = [float(n) for n in range(1, 101)]
    assert [percentile(values, p) for p in (50, 95, 99, 100)] == [50, 95, 99, 100]
    assert percentile([3.0], 99) == 3.0
