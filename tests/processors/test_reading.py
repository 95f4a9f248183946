import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.keyword_model import load_tokenizer
from support.windows_run import record_runs

from otel_agent_eval.models.model import Model
from otel_agent_eval.models.tokens import spans
from otel_agent_eval.processors.reading import finish, pieces, run_in_steps, sliding, token_ids, words

TOKENIZER = load_tokenizer()


@given(st.text(max_size=200), st.integers(1, 60))
def test_pieces_are_the_text(text: str, times: int) -> None:
    found = list(pieces(text * times))
    assert "".join(found) == text * times
    assert max(map(len, found)) <= 4000


def test_pieces_are_cut_at_white_space_where_there_is_some() -> None:
    assert all(piece.strip().startswith("word") for piece in pieces("word\n" * 5000))


@pytest.mark.parametrize("text", ["An end. " * 2000, "a" * 9_999, "x1-" * 5000, "été " * 3000, "word\n" * 3000])
def test_tokens_are_those_of_the_whole_text(text: str) -> None:
    assert list(token_ids(text, TOKENIZER)) == TOKENIZER.encode([text])[0]


def test_a_very_long_word_is_several() -> None:
    assert [len(word) for word in words("a " + "b" * 450)] == [1, 200, 200, 50]


@given(st.integers(0, 500), st.integers(1, 60), st.data())
def test_sliding_windows_cover_all_as_spans_do(length: int, size: int, data: st.DataObject) -> None:
    stride = data.draw(st.integers(1, size))
    items = list(range(length))
    assert list(sliding(iter(items), size, stride)) == [items[span] for span in spans(length, size, stride)]


def test_equal_windows_are_run_once_and_each_gets_its_output(keywords: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = record_runs(keywords, monkeypatch)
    one, other = (keywords.tokenizer.single(ids) for ids in keywords.tokenizer.encode(["you idiot", "fine"]))
    found = finish(run_in_steps(keywords, "toxicity", iter([one, other, None, one] * 1000)))
    assert runs == [2]
    assert found[:, 0].tolist() == [6.0, -6.0, 6.0] * 1000


def test_a_long_run_yields_again_and_again_also_where_nothing_is_run(keywords: Model) -> None:
    (ids,) = keywords.tokenizer.encode(["the train leaves at nine"])
    windows = (keywords.tokenizer.single([*ids, number]) for number in range(1000, 3000))
    assert sum(1 for _ in run_in_steps(keywords, "toxicity", windows)) > 10
    assert sum(1 for _ in run_in_steps(keywords, "toxicity", [None] * 1000)) > 10
