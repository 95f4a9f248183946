"""Fixtures for all tests; a conftest here also lets tests import `support`."""

from collections.abc import Iterator

import pytest
from support.otlp_sink import OtlpSink


@pytest.fixture
def otlp_sink() -> Iterator[OtlpSink]:
    """A backend that accepts all until told otherwise."""
    with OtlpSink() as sink:
        yield sink
