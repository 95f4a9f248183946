"""Durations, sizes, addresses and endpoints."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_agent_eval.config.values import (
    Address,
    format_duration,
    format_size,
    parse_address,
    parse_duration,
    parse_endpoint,
    parse_size,
)


@given(st.integers(0, 10**7))
def test_a_written_duration_reads_as_itself(milliseconds: int) -> None:
    assert parse_duration(format_duration(milliseconds / 1000)) == pytest.approx(milliseconds / 1000)


@given(st.integers(0, 10**12))
def test_a_written_size_reads_as_itself(size: int) -> None:
    assert parse_size(format_size(size)) == size


@pytest.mark.parametrize(
    ("text", "seconds"), [("1h2m3s", 3723), (".5s", 0.5), ("1.5h", 5400), ("10us", 1e-5), ("0", 0), (0, 0)]
)
def test_durations_are_those_of_go(text: object, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "s", "5", 5, "1d", "1 s", "1s2", True, None, [], "1e3s", "5S", "--1s"])
def test_what_is_no_duration_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="expected a duration"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["", "-1", "1.5MiB", "1 MB", True, None, {}, "9" * 20])
def test_what_is_no_size_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="expected a size"):
        parse_size(text)


@pytest.mark.parametrize("text", ["127.0.0.1:4317", "[::1]:0", "gateway.example:65535"])
def test_an_address_is_written_as_it_was_read(text: str) -> None:
    assert str(parse_address(text)) == text


@pytest.mark.parametrize(
    "text", ["a", "a:", ":1", "a:b", "a:-1", "a:65536", "::1:4317", "a b:1", "[x]:1", "a/b:1", 7, None]
)
def test_what_is_no_address_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match=r"host:port|port is a number"):
        parse_address(text)


@pytest.mark.parametrize(
    ("text", "address", "written"),
    [
        ("tempo:4317", Address("tempo", 4317), "tempo:4317"),
        ("http://Tempo", Address("tempo", 80), "http://tempo:80"),
        ("HTTPS://[::1]/a/b/?c=d", Address("::1", 443), "https://[::1]:443/a/b?c=d"),
    ],
)
def test_endpoints_are_addresses_or_urls(text: str, address: Address, written: str) -> None:
    endpoint = parse_endpoint(text)

    assert (endpoint.address, str(endpoint)) == (address, written)


@given(st.text() | st.builds("http://{}".format, st.text()) | st.none() | st.integers())
def test_no_endpoint_makes_it_crash(text: object) -> None:
    try:
        endpoint = parse_endpoint(text)
    except ValueError:
        return
    assert parse_endpoint(str(endpoint)) == endpoint
