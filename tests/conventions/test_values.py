"""Values as senders write them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_agent_eval.conventions.values import clean, cut_length, decode, is_absent, looks_cut, number, text

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
containers = st.lists(json_values, min_size=1) | st.dictionaries(st.text(), json_values, min_size=1)


@given(containers, st.integers(1, 4))
def test_json_is_unwrapped_however_often_it_was_encoded(value: object, times: int) -> None:
    encoded: object = value
    for _ in range(times):
        encoded = json.dumps(encoded)
    assert decode(encoded) == (value, False)


def test_unwrapping_stops_at_its_limit() -> None:
    encoded = json.dumps(["text"])
    for _ in range(6):
        encoded = json.dumps(encoded)
    assert isinstance(decode(encoded).value, str)


@pytest.mark.parametrize(
    "plain",
    [
        "The answer is 42.",
        '"Hello," she said.',
        "[1] The tower is 330 metres tall.",
        "{name} is a placeholder",
        "[see below] and so on",
        "",
    ],
)
def test_plain_text_stays_what_it_is(plain: str) -> None:
    assert decode(plain) == (plain, False)


@given(containers, st.data())
def test_json_cut_anywhere_is_repaired_and_marked_or_left_as_text(value: object, data: st.DataObject) -> None:
    whole = json.dumps(value)
    cut = whole[: data.draw(st.integers(2, max(2, len(whole) - 1)))]
    found, truncated = decode(cut)
    assert truncated or cut in (found, whole)


@pytest.mark.parametrize(
    ("cut", "value"),
    [
        ('[{"role": "user", "content": "How ta', [{"role": "user", "content": "How ta"}]),
        ('[{"role": "user", "content": "a"}, {"ro', [{"role": "user", "content": "a"}, {}]),
        ('[{"role": "user", "content"', [{"role": "user"}]),
        ('[{"role": "user", "content":', [{"role": "user", "content": None}]),
        ('{"a": [1, 2, ', {"a": [1, 2]}),
        ('{"a": "x\\', {"a": "x"}),
        ('{"a": "x\\u00', {"a": "x"}),
        ('{"a": "x\\"', {"a": 'x"'}),
        ('{"a": tr', {"a": None}),
    ],
)
def test_what_a_cut_leaves_is_kept(cut: str, value: object) -> None:
    assert decode(cut) == (value, True)


def test_a_python_repr_is_read_as_json_is() -> None:
    written = "[{'role': 'user', 'content': 'It\\'s \"so\"', 'name': None, 'cached': True}]"
    assert decode(written).value == [{"role": "user", "content": 'It\'s "so"', "name": None, "cached": True}]


@pytest.mark.parametrize(
    "value",
    [
        *(None, "", " ", "{}", "[]", "N/A", "null", "None", "<not specified>", "<not serializable>", "__REDACTED__"),
        *(
            "[REDACTED]",
            [],
            {},
            '"N/A"',
            "<NodeWithScore(node=TextNode(id_=1), score=0.9)>",
            "<OpenAIEmbedding object>",
        ),
    ],
)
def test_placeholders_mean_absent(value: object) -> None:
    assert is_absent(value)
    assert text(value) == ""


@pytest.mark.parametrize("value", ["0", "no", "<b>bold</b>", "nothing", 0, False, [None]])
def test_short_answers_are_not_absent(value: object) -> None:
    assert not is_absent(value)


def test_lone_surrogates_are_replaced() -> None:
    assert clean("cut \ud83d") == "cut �"  # what a cut in the middle of an emoji's escapes leaves
    assert clean("\ud83d\ude00") == "😀"


@pytest.mark.parametrize(
    ("value", "found"), [(1, 1.0), ("0.5", 0.5), (True, None), ("high", None), (float("nan"), None), (10**400, None)]
)
def test_scores_are_finite_numbers_or_none(value: object, found: float | None) -> None:
    assert number(value) == found


def test_a_sender_that_cuts_shows_it_in_json_that_does_not_close() -> None:
    assert cut_length({"a": '{"messages": [' + "x" * 50, "b": "short"}) == 64
    assert cut_length({"a": '{"messages": []}', "b": "a longer text than that"}) == 0
    assert cut_length({"a": '{"messages": [', "b": "a longer text than that"}) == 0  # something else broke it


@pytest.mark.parametrize(
    "cut", ["and so ...[truncated]", "and so… [TRUNCATED 300 chars]", "and so (truncated)", "a" * 4096, "ä" * 2048]
)
def test_a_text_that_an_exporter_cut_looks_cut(cut: str) -> None:
    assert looks_cut(cut)


def test_a_text_of_the_length_at_which_its_sender_cuts_looks_cut() -> None:
    assert looks_cut("x" * 77, limit=77)
    assert not looks_cut("x" * 76, limit=77)


@pytest.mark.parametrize(
    "whole", ["", "An answer.", "no full stop", "x" * 4095 + ".", "They truncated it.", "a" * 1025]
)
def test_other_texts_look_whole(whole: str) -> None:
    assert not looks_cut(whole)
