"""Decompression: whatever gzip writes comes back, whatever else is named."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_agent_eval.receivers.errors import TooLarge, Undecodable
from otel_agent_eval.receivers.gunzip import gunzip


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4), st.integers(0, 9))
def test_members_come_back_joined(members: list[bytes], padding: int) -> None:
    data = b"".join(map(gzip.compress, members)) + b"\0" * padding
    plain = b"".join(members)
    assert gunzip(data, len(plain)) == plain
    if plain:
        with pytest.raises(TooLarge):
            gunzip(data, len(plain) - 1)


@given(st.binary(max_size=100), st.booleans())
def test_any_bytes_are_inflated_or_named_broken(data: bytes, with_header: bool) -> None:
    data = gzip.compress(b"")[:10] + data if with_header else data
    try:
        plain = gunzip(data, 1 << 16)
    except Undecodable:
        return
    assert gzip.decompress(data) == plain


@pytest.mark.parametrize("size", [1 << 16, (1 << 16) + 1, 1 << 20])
def test_data_longer_than_a_slice_comes_back(size: int) -> None:
    plain = bytes(i * 7919 % 251 for i in range(size))
    stored = gzip.compress(plain, 0)
    assert len(stored) > 1 << 16
    assert gunzip(stored, size) == plain


def test_cut_anywhere_is_named_broken() -> None:
    data = gzip.compress(b"some telemetry")
    for end in range(len(data)):
        with pytest.raises(Undecodable):
            gunzip(data[:end], 1 << 16)
