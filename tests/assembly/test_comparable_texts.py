"""When two texts are the same answer, and which texts can support one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_agent_eval.assembly.texts import comparable, is_data, is_substantial, repeats

LONG = "The Eiffel Tower is 330 metres tall and stands in Paris."


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a  b\n", "a b"),
        ('"a b"', "a b"),
        ("```json\n[1, 2]\n```", "[1,2]"),
        ('{"a": "x", "b": ["y"]}', '{ "b" : ["y"], "a" : "x" }'),
        ("```\na b\n```", "a b"),
    ],
)
def test_rendering_makes_no_other_text(one: str, other: str) -> None:
    assert comparable(one) == comparable(other)


@pytest.mark.parametrize(("one", "other"), [("a b", "ab"), ("[1, 2]", "[1, 3]"), ("Yes", "No")])
def test_other_texts_stay_apart(one: str, other: str) -> None:
    assert comparable(one) != comparable(other)


@pytest.mark.parametrize(
    ("shown", "answer", "same"),
    [
        (LONG, LONG, True),
        (f"Sure! {LONG} Anything else?", LONG, True),
        ("Answer: Paris", "Paris", False),
        ("It is Paris.", "is Paris.", True),
        (f"No. {LONG * 9}", "No.", False),
        (LONG[:45], LONG * 20, True),
        ("", "", False),
        (LONG, "", False),
        ("", LONG, False),
    ],
)
def test_a_text_shows_another_with_something_around_it_or_cut_off_it(shown: str, answer: str, same: bool) -> None:
    assert repeats(comparable(shown), comparable(answer)) is same


@pytest.mark.parametrize(
    ("text", "substantial"),
    [
        (LONG, True),
        (f'{{"title": "Towers", "body": "{LONG}"}}', True),
        ('{"status": "ok"}', False),
        ("18C and clear in Paris", False),
        ('{"a": "one", "b": "two", "c": "three", "d": "four", "e": "five", "f": "six", "g": "seven"}', False),
        ("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20", False),
        ("", False),
    ],
)
def test_prose_is_substantial(text: str, substantial: bool) -> None:
    assert is_substantial(text) is substantial


@pytest.mark.parametrize(("text", "data"), [('{"a": 1}', True), (" [] ", True), ('"a"', False), ("{a}", False)])
def test_json_objects_and_lists_are_data(text: str, data: bool) -> None:
    assert is_data(text) is data


@given(st.text(max_size=50), st.text(max_size=50))
def test_any_texts_can_be_compared(one: str, other: str) -> None:
    a, b = comparable(one), comparable(other)
    assert repeats(a, a) == bool(a)
    assert isinstance(repeats(a, b), bool)
    assert isinstance(is_substantial(one), bool)


def test_deep_json_is_survived() -> None:
    assert comparable("[" * 100_000 + "]" * 100_000)
    assert comparable('{"a":' * 50 + "1" + "}" * 50)


@pytest.mark.parametrize(
    "text", ["```\n" + " " * 3_000_000 + "x", "```" + "\n" * 3_000_000 + "x", "```" + "a" * 3_000_000, "`" * 3_000_000]
)
def test_fences_that_nothing_closes_are_looked_for_once(text: str) -> None:
    assert comparable(text)  # the square of the length would outlast the test's limit
