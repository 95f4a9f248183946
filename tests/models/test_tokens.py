from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_agent_eval.models.runtime import ModelError
from otel_agent_eval.models.tokens import Tokenizer, spans


@given(length=st.integers(0, 3000), size=st.integers(1, 200), stride=st.integers(0, 200))
def test_spans_hold_every_position_and_none_is_too_long(length: int, size: int, stride: int) -> None:
    stride = min(stride, size)
    found = spans(length, size, stride)
    covered = {position for part in found for position in range(part.start, part.stop)}
    assert covered == set(range(length))
    assert all(part.stop - part.start <= size for part in found)


def test_spans_overlap_so_that_no_short_phrase_is_only_seen_cut() -> None:
    found = spans(1000, 158, 120)
    assert all(one.stop - other.start >= 38 for one, other in pairwise(found))
    assert [part.start for part in found][:3] == [0, 120, 240]
    assert found[-1].stop == 1000


@pytest.mark.parametrize(
    "text", ["", " ", "\x00", "\ud800 lone", "🙂👩‍👩‍👧", "ﷺ", "a\u0300\u0301" * 50, "\u200b\u202e"]
)
def test_any_string_becomes_tokens(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.encode([text])[0] is not None


@given(texts=st.lists(st.text(st.characters(), max_size=40), max_size=4))
def test_a_text_gets_the_same_tokens_in_any_company(tokenizer: Tokenizer, texts: list[str]) -> None:
    assert tokenizer.encode(texts) == [tokenizer.encode([text])[0] for text in texts]


def test_an_endless_word_is_not_reduced_to_one_unknown_token(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode(["idiot" * 200])[0]
    assert len(ids) > 100


def test_a_pair_marks_its_second_text(tokenizer: Tokenizer) -> None:
    window = tokenizer.pair([7, 8], [9])
    assert window.ids == (101, 7, 8, 102, 9, 102)
    assert window.types == (0, 0, 0, 0, 1, 1)


@given(first=st.integers(0, 400), second=st.integers(0, 400), size=st.integers(16, 256))
def test_every_part_of_a_pair_meets_every_part_of_the_other(
    tokenizer: Tokenizer, first: int, second: int, size: int
) -> None:
    layout = tokenizer.pairs(range(1000, 1000 + first), range(5000, 5000 + second), size)
    windows = [window for part in layout for window in part]
    assert all(len(window.ids) <= size for window in windows)
    for part in layout:
        own = {token for token in part[0].ids if token >= 5000}
        assert all({token for token in window.ids if token >= 5000} == own for window in part)
        assert {token for window in part for token in window.ids if 1000 <= token < 5000} == set(
            range(1000, 1000 + first)
        )
    assert {token for window in windows for token in window.ids if token >= 5000} == set(range(5000, 5000 + second))


def test_two_texts_that_fit_are_one_window(tokenizer: Tokenizer) -> None:
    assert len(tokenizer.pairs(range(200), range(53), 256)) == 1
    assert len(tokenizer.pairs(range(200), range(53), 256)[0]) == 1


def test_a_file_that_is_no_tokenizer_is_named(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text("{}")
    with pytest.raises(ModelError, match=r"tokenizer\.json cannot be loaded"):
        Tokenizer(path)
