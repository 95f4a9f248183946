"""A whole measurement on small made sets: what is measured, and what is written of it."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from labelled_sets import last_number, write_set

sys.path.append(str(Path(__file__).resolve().parents[2]))  # training/ is not part of the installed package


from training import operating_points, report, study, tables
from training.comparators import Comparator
from training.floors import bm25, faithfulness_overlap, relevance_overlap
from training.metrics import Estimate

EVALUATORS = {
    "toxicity": ("builtin/toxicity@9", 0.5),
    "faithfulness": ("builtin/faithfulness@9", 0.4),
    "relevance": ("builtin/relevance@9", 0.3),
}


PRONOUNS = {"male": 0.2, "female": 0.3, "neutral": 0.2}


def made_sets(folder: Path) -> None:
    """Sets in which scores are right nine times out of ten."""

    def score(place: int, label: int) -> float:
        right = bool(label) != (place % 20 in {0, 1})
        return round((0.9 if right else 0.1) + place / 10_000, 4)

    def rows(count: int, **fields: str) -> list[dict[str, Any]]:
        found = []
        for place in range(count):
            label = place % 2
            filled = {key: text.format(n=place, score=score(place, label)) for key, text in fields.items()}
            found.append({"id": str(place), "label": label, "split": "all", **filled})
        return found

    write_set(folder, "toxicity/convabuse_train", rows(60, text="turn {n} {score}"))
    write_set(folder, "toxicity/jigsaw_multilabel_tiny", rows(60, text="comment {n} {score}"))
    claims = rows(60, answer="claim {n} {score}", context="document {n}", question="")
    write_set(folder, "faithfulness/rte", claims)
    write_set(folder, "faithfulness/wice_claim_dev", claims[:20])
    candidates = [row | {"question": f"question {i // 6}"} for i, row in enumerate(rows(60, answer="sentence {score}"))]
    write_set(folder, "relevance/wikiqa_train_dev", candidates)
    write_set(folder, "relevance/trecqa_train_dev", [])
    groups = ["gay", "jewish", "middle eastern"] * 800
    terms = [f"{n} You are a {group} person {0.9 * (n % 2)}" for n, group in enumerate(groups)]
    write_set(folder, "bias/intersectional_madlibs_en", [{"text": t, "label": n % 2} for n, t in enumerate(terms)])
    sung = [{"text": f"She sang {n} 0.1", "category": "gender", "group": "actresses"} for n in range(30)]
    write_set(folder, "bias/bold", sung)
    said = [(f"a.b.{n}.{who}.txt", f"{who} {s}") for n in range(20) for who, s in PRONOUNS.items()]
    write_set(folder, "bias/winogender", [{"id": key, "text": text} for key, text in said])


@pytest.fixture(name="measured", scope="module")
def _measured(tmp_path_factory: pytest.TempPathFactory) -> study.Study:
    folder = tmp_path_factory.mktemp("sets")
    made_sets(folder)
    floors = {
        "toxicity": [Comparator("nothing", lambda rows: np.zeros(len(rows)))],
        "faithfulness": [Comparator("word overlap", faithfulness_overlap)],
        "relevance": [Comparator("word overlap", relevance_overlap), Comparator("BM25", bm25)],
    }
    return study.run(folder, last_number, EVALUATORS, floors, 0, 100, ["toxicity: thing left out"])


def test_every_set_with_rows_is_measured(measured: study.Study) -> None:
    found = {(r.kind, r.name): r for r in measured.results}
    assert [*found] == [
        ("toxicity", "convabuse_train"),
        ("toxicity", "jigsaw_multilabel_tiny"),
        ("faithfulness", "rte"),
        ("faithfulness", "wice_claim_dev"),
        ("relevance", "wikiqa_train_dev"),
    ]
    toxic = found["toxicity", "convabuse_train"]
    assert toxic.confusion == {"tp": 27, "fp": 3, "fn": 3, "tn": 27}
    assert toxic.estimate("balanced_accuracy").value == pytest.approx(0.9)
    assert toxic.others["nothing"].estimate("auc").value == 0.5
    assert toxic.difference("nothing").low > 0


def test_sets_of_candidates_are_ranked_by_question(measured: study.Study) -> None:
    (ranked,) = [r for r in measured.results if r.name == "wikiqa_train_dev"]
    assert ranked.groups == 10
    assert 0.5 < ranked.estimate("mrr").value <= 1
    assert {"mrr", "map"} <= set(ranked.others["BM25"].draws)
    assert [m.other for m in report.macros(measured.results, "mrr")] == ["word overlap", "BM25"]


def test_groups_are_found_in_template_sentences_and_compared(measured: study.Study) -> None:
    names = {group.name for group in measured.terms}
    assert names == {"all", "gay", "jewish", "middle eastern"}
    assert all(group.auc == 1.0 and group.recall.value == 1.0 for group in measured.terms)
    (sung,) = measured.topics
    assert (sung.name, sung.rows) == ("gender: actresses", 30)
    assert sung.mean == pytest.approx(0.1)
    assert {p.name: round(p.mean, 3) for p in measured.pairs} == {
        "Winogender, male less female pronoun": -0.1,
        "Winogender, male less neutral pronoun": 0.0,
        "Winogender, female less neutral pronoun": 0.1,
    }


def test_rates_count_flagged_rows_at_the_default_threshold(measured: study.Study) -> None:
    rates = study.rates(measured)
    assert rates["builtin/toxicity@9"]["bad"] == 60
    assert rates["builtin/toxicity@9"]["bad_flagged"] == 54
    assert rates["builtin/toxicity@9"]["sensitivity"] == 0.9
    low, high = rates["builtin/toxicity@9"]["sensitivity_interval"]
    assert low < 0.9 < high
    relevance = rates["builtin/relevance@9"]
    assert (relevance["bad_flagged"], relevance["good_flagged"]) == (27, 3)
    assert rates["builtin/faithfulness@9"]["sensitivity"] is None  # of its sets none is here


def test_a_lower_threshold_finds_more_and_alarms_more(measured: study.Study) -> None:
    relevant = [r for r in measured.results if r.kind == "relevance"]
    points = operating_points.points(relevant, 0.3)
    assert [p.threshold for p in points] == sorted({*operating_points.GRID, 0.3})
    assert points[0].false_alarms.value == 0  # relevance fails below its threshold
    alarms = [p.false_alarms.value for p in points]
    assert alarms == sorted(alarms)


def test_the_json_file_holds_everything_and_no_number_that_is_none(measured: study.Study, tmp_path: Path) -> None:
    study.write_json(measured, tmp_path / "new" / "q.json")
    study.write_rates(measured, tmp_path / "r.json")
    found = json.loads((tmp_path / "new" / "q.json").read_text(), parse_constant=pytest.fail)
    assert found["evaluators"]["toxicity"] == {"version": "builtin/toxicity@9", "threshold": 0.5}
    assert len(found["results"][0]["metrics"]["auc"]) == 3
    assert found["left_out"] == ["toxicity: thing left out"]
    assert found["rates"] == json.loads((tmp_path / "r.json").read_text())


def test_the_tables_are_markdown_and_name_every_set(measured: study.Study) -> None:
    text = tables.markdown(measured)
    assert "nan" not in text
    assert "- toxicity: thing left out" in text
    for result in measured.results:
        assert f"| {result.name} |" in text
    blocks = [block.split("\n") for block in text.split("\n\n") if block.startswith("|")]
    assert len(blocks) > 10
    for block in blocks:
        assert len({line.count("|") for line in block if line}) == 1, block[0]


def test_published_numbers_stand_beside_those_of_their_set(measured: study.Study) -> None:
    lines = tables.markdown(measured).split("\n")
    (line,) = [line for line in lines if "MiniCheck-Flan-T5-L" in line]
    assert line.startswith("| wice_claim_dev | balanced accuracy | 0.900 [")
    assert not any("HHEM" in line for line in lines)  # its set is not here


def test_a_difference_is_bold_only_where_its_interval_lies_above_zero() -> None:
    assert tables.gain(Estimate(0.1, 0.05, 0.2)) == "**+0.100 [+0.050, +0.200]**"
    assert tables.gain(Estimate(0.1, -0.05, 0.2)) == "+0.100 [-0.050, +0.200]"
    assert tables.gain(Estimate(float("nan"), float("nan"), float("nan"))) == "-"


def test_limits_cut_sets_but_never_the_candidates_of_a_question(tmp_path: Path) -> None:
    rows = [{"question": f"q{i // 4}", "answer": f"a{i}", "label": int(i % 4 == 0), "split": "all"} for i in range(80)]
    rows += [{"question": f"unanswered {i}", "answer": f"b{i}", "label": 0, "split": "all"} for i in range(20)]
    write_set(tmp_path, "relevance/wikiqa_train_dev", rows)
    found = report.held_out_rows(tmp_path, "relevance", "wikiqa_train_dev", 5)
    questions = [row["question"] for row in found]
    assert len(found) == 12  # twice the limit for a set never trained on, up to the end of a question
    assert {questions.count(q) for q in questions} == {4}
    assert len(report.held_out_rows(tmp_path, "relevance", "wikiqa_train_dev", 0)) == 80
