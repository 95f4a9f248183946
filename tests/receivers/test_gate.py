"""Budgets of clients: who sends too much waits, nobody else does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_agent_eval.connections import client_of
from otel_agent_eval.receivers import Cause, ClientLimits, ClientMeter, Gate, Rejection


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def refused(gate: Gate, client: str = "a") -> float | None:
    """Return how long the client has to wait, None where it may send."""
    try:
        await gate.admit(client, "")
    except Rejection as rejection:
        return rejection.retry_after if rejection.cause is Cause.THROTTLED else None
    return None


async def test_requests_are_counted_over_ten_seconds() -> None:
    clock = Clock()
    gate = Gate(meter=ClientMeter(ClientLimits(requests_per_second=2), clock))
    taken = sum([await refused(gate) is None for _ in range(30)])
    assert taken in (20, 21)
    wait = await refused(gate)
    assert wait is not None
    clock.now += wait + 0.001
    assert await refused(gate) is None


async def test_other_clients_do_not_wait() -> None:
    gate = Gate(meter=ClientMeter(ClientLimits(requests_per_second=1), Clock()))
    while await refused(gate, "loud") is None:
        pass
    assert await refused(gate, "quiet") is None


async def test_a_request_larger_than_the_budget_is_taken_and_paid_off() -> None:
    clock = Clock()
    gate = Gate(meter=ClientMeter(ClientLimits(bytes_per_second=1000), clock))
    assert await refused(gate) is None
    gate.charge("a", 50_000)
    assert await refused(gate) == pytest.approx(40)
    clock.now += 41
    assert await refused(gate) is None


async def test_gates_with_one_meter_count_together() -> None:
    meter = ClientMeter(ClientLimits(bytes_per_second=1000), Clock())
    Gate(meter=meter).charge("a", 20_000)
    assert await refused(Gate(meter=meter)) is not None


async def test_clients_without_number_take_little_memory() -> None:
    meter = ClientMeter(ClientLimits(requests_per_second=1), Clock())
    gate = Gate(meter=meter)
    for number in range(30_000):
        await gate.admit(f"client {number}", "")
    assert meter._requests is not None
    assert len(meter._requests._left) == 10_000


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("a:b", "a:b"),
    ],
)
def test_a_client_is_an_address_or_half_an_ipv6_address(address: str, client: str) -> None:
    assert client_of(address) == client


@given(st.text())
def test_any_address_is_some_client(address: str) -> None:
    assert isinstance(client_of(address), str)
