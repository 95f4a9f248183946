"""Values that once took minutes: what is tried and fails must not be tried again at every character of it.

Sizes are such that a time that grows with the square of the length would outlast the test's limit.
"""

import pytest

from otel_agent_eval.conventions.values import decode

_QUOTES = 1 << 17


@pytest.mark.parametrize("end", ["", "]", "\\", "'"])
@pytest.mark.parametrize("quote", ["\\'", '"\\"', "'\\"])
def test_strings_that_nothing_closes_are_read_once(quote: str, end: str) -> None:
    assert decode("['" + quote * (_QUOTES // len(quote)) + end).value is not None
