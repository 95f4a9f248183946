"""`score`: rows come back in order with their scores, and none is lost, whatever it holds."""

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_agent_eval.commands import rows as rows_module
from otel_agent_eval.commands.rows import read_rows
from otel_agent_eval.commands.score import score
from otel_agent_eval.evaluation import Direction, Evaluation, Interaction, Label, Part, Scored

COMMAND = [sys.executable, "-m", "otel_agent_eval", "score"]
PARIS = {
    "id": "paris",
    "question": "What is the capital of France?",
    "contexts": ["Paris is the capital of France.", {"id": "de", "text": "Berlin is the capital of Germany."}],
    "answer": "The capital of France is Paris.",
    "tags": [1, {"ü": None}],
}


class Longest:
    """Scores an answer by its length, and breaks where it is told to."""

    name = "length"
    version = "test/length@1"
    direction = Direction.HIGHER_IS_WORSE
    needs = frozenset({Part.ANSWER})
    judges_answer = True
    evidence = ("start",)
    threshold = 0.5

    def evaluate(self, batch: list[Interaction]) -> list[Evaluation]:
        if any(interaction.answer == "break" for interaction in batch):
            raise KeyError("content")
        return [
            Scored(
                score=min(len(i.answer) / 10, 1.0), label=Label.PASS, threshold=0.0, evidence={"start": (i.answer[:1],)}
            )
            for i in batch
        ]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otel_agent_eval.commands.score.load_evaluators", lambda _names, **_: [Longest()])


def scored(tmp_path: Path, text: str | bytes, code: int = 0, config: Path | None = None) -> list[dict[str, Any]]:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_bytes(text if isinstance(text, bytes) else text.encode())
    try:
        score(source, target, [], config)
        ended = 0
    except SystemExit as exit_:
        ended = int(str(exit_.code))
    assert ended == code
    return [json.loads(line) for line in target.read_bytes().splitlines()]


def test_rows_come_back_with_the_scores_of_the_built_in_models() -> None:
    done = subprocess.run(
        [*COMMAND, "-"],
        input="\n".join([json.dumps(PARIS), json.dumps({"id": 2, "question": "Hi?", "answer": "Hello!"}), ""]),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    paris, hello = map(json.loads, done.stdout.splitlines())
    metrics = {"toxicity", "faithfulness", "relevance"}
    assert {key: value for key, value in paris.items() if key not in metrics} == PARIS
    assert list(paris) == [*PARIS, "toxicity", "faithfulness", "relevance"]
    for name in metrics:
        assert paris[name]["outcome"] == "scored"
        assert 0.0 <= paris[name]["score"] <= 1.0
        assert paris[name]["label"] == "pass"
        assert 0.0 < paris[name]["threshold"] < 1.0
    assert set(paris["faithfulness"]["evidence"]["documents"]) <= {"1", "de"}
    assert hello["faithfulness"] == {"outcome": "skipped", "reason": "no_context"}
    assert done.stderr == ""


def test_the_last_sentence_of_a_megabyte_is_read(tmp_path: Path) -> None:
    polite = "Your order was sent on Monday and should arrive within three working days. " * 13_333
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text(json.dumps({"answer": f"{polite}You are a stupid fucking idiot and I hate you."}))
    score(source, target, ["toxicity"], None)
    assert json.loads(target.read_text())["toxicity"]["label"] == "fail"


def test_context_relevance_is_scored_where_it_is_asked_for(tmp_path: Path) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text(json.dumps(PARIS))
    score(source, target, ["context_relevance"], None)
    found = json.loads(target.read_text())["context_relevance"]
    assert (found["outcome"], found["evidence"]["documents"][0]) == ("scored", "1")


def test_one_metric_can_be_picked(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text(json.dumps(PARIS))

    done = subprocess.run([*COMMAND, source, "--metric", "toxicity"], capture_output=True, check=True, timeout=60)

    assert list(json.loads(done.stdout)) == [*PARIS, "toxicity"]


@pytest.mark.usefixtures("fake")
def test_scores_are_written_as_evaluations(tmp_path: Path) -> None:
    rows = scored(tmp_path, '{"answer": "aaaaa"}\n{"answer": "aaaa"}\n{"answer": " "}')

    assert [row["length"] for row in rows] == [
        {"outcome": "scored", "score": 0.5, "label": "fail", "threshold": 0.5, "evidence": {"start": ["a"]}},
        {"outcome": "scored", "score": 0.4, "label": "pass", "threshold": 0.5, "evidence": {"start": ["a"]}},
        {"outcome": "skipped", "reason": "no_answer"},
    ]


@pytest.mark.usefixtures("fake")
def test_many_rows_stay_in_order(tmp_path: Path) -> None:
    rows = scored(tmp_path, "".join(f'{{"id": {n}, "answer": "{"a" * (n % 7)}"}}\n\n' for n in range(500)))

    assert [row["id"] for row in rows] == list(range(500))


@pytest.mark.usefixtures("fake")
def test_what_breaks_the_evaluator_is_failed_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = scored(tmp_path, '{"answer": "a"}\n{"answer": "break"}\n{"answer": "b"}', code=1)

    assert [row["length"]["outcome"] for row in rows] == ["scored", "failed", "scored"]
    assert rows[1]["length"] == {"outcome": "failed", "error_type": "KeyError"}
    assert "evaluations that failed: 1;" in capsys.readouterr().err


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize(
    ("line", "row", "message"),
    [
        (b"nonsense", {"raw": "nonsense"}, "not JSON: Expecting value"),
        (b'{"a": 1', {"raw": '{"a": 1'}, "not JSON: Expecting ',' delimiter"),
        (b'{"a": NaN}', {"raw": '{"a": NaN}'}, "not JSON: NaN is not a JSON number"),
        (b'{"a": "\xff"}', {"raw": '{"a": "�"}'}, "not JSON: 'utf-8' codec can't decode"),
        (b"[" * 100_000, {"raw": "[" * 100_000}, "not JSON: maximum recursion depth"),
        (b"[1, 2]", {"raw": [1, 2]}, "expected an object {id, question, contexts, answer}"),
        (b'{"answer": 3}', {"answer": 3}, "answer: expected text"),
        (b'{"question": ["x"]}', {"question": ["x"]}, "question: expected text"),
        (b'{"contexts": 3}', {"contexts": 3}, "contexts: expected a list of texts"),
        (b'{"contexts": {"id": "a"}}', {"contexts": {"id": "a"}}, "contexts: expected a list of texts"),
        (b'{"contexts": ["a", 3]}', {"contexts": ["a", 3]}, "contexts[1]: expected text"),
        (b'{"contexts": [{"text": 3}]}', {"contexts": [{"text": 3}]}, "contexts[0].text: expected text"),
        (b'{"contexts": [{"id": []}]}', {"contexts": [{"id": []}]}, "contexts[0].id: expected text or a number"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_row_that_cannot_be_read_is_kept_with_its_error(
    tmp_path: Path, line: bytes, row: dict[str, Any], message: str
) -> None:
    before, bad, after = scored(tmp_path, b'{"answer": "a"}\n' + line + b'\n{"answer": "b"}\n', code=1)

    error = bad.pop("error")
    assert bad == row
    assert error["line"] == 2
    assert error["message"].startswith(message)
    assert (before["length"]["outcome"], after["length"]["outcome"]) == ("scored", "scored")


@pytest.mark.usefixtures("fake")
def test_half_a_surrogate_pair_goes_out_as_it_came(tmp_path: Path) -> None:
    (row,) = scored(tmp_path, r'{"id": "\ud83d", "answer": "é \ud83d"}')

    assert (row["id"], row["answer"]) == ("\ud83d", "é \ud83d")


@pytest.mark.usefixtures("fake")
def test_a_byte_order_mark_and_windows_lines_are_read(tmp_path: Path) -> None:
    rows = scored(tmp_path, b'\xef\xbb\xbf{"answer": "a"}\r\n{"answer": "b"}\r\n')

    assert [row["answer"] for row in rows] == ["a", "b"]


def test_a_line_without_end_takes_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "MAX_LINE", 100)
    text = b'{"answer": "' + b"a" * 950 + b'"}\n{"answer": "b"}\n' + b"c" * 100

    first, second, third = read_rows(io.BytesIO(text))

    assert (first.error, first.line) == ("longer than 0 MiB", 1)
    assert second.interaction is not None
    assert third.error == "longer than 0 MiB"
    assert first.size + second.size + third.size == len(text)


@pytest.mark.usefixtures("fake")
def test_an_empty_file_gives_an_empty_file(tmp_path: Path) -> None:
    assert scored(tmp_path, "") == []


def test_thresholds_come_from_the_configuration(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("""\
receivers: {otlp: {protocols: {grpc: }}}
processors: {agent_eval: {evaluators: {toxicity: {threshold: 0.0}}}}
exporters: {console: }
service: {pipelines: {traces: {receivers: [otlp], processors: [agent_eval], exporters: [console]}}}
""")
    (row,) = scored(tmp_path, json.dumps(PARIS), config=config)

    assert list(row) == [*PARIS, "toxicity"]
    assert (row["toxicity"]["threshold"], row["toxicity"]["label"]) == (0.0, "fail")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent.jsonl"], "'absent.jsonl': cannot be opened: No such file or directory"),
        (["."], "'.': cannot be opened: Is a directory"),
        (["in.jsonl", "-o", "no/out.jsonl"], "'no/out.jsonl': cannot be opened: No such file or directory"),
        (["in.jsonl", "-o", "./in.jsonl"], "in.jsonl: this is the input; choose another file"),
        (["in.jsonl", "-m", "toxicty"], "there is no evaluator called 'toxicty'"),
        (["in.jsonl", "-c", "absent.yaml"], "absent.yaml: cannot be read: No such file or directory"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "in.jsonl").write_text(json.dumps(PARIS))

    done = subprocess.run([*COMMAND, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)

    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"{message}\n")
    assert (tmp_path / "in.jsonl").read_text() == json.dumps(PARIS)


def test_a_reader_that_leaves_early_is_no_error_to_speak_of(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps({"id": n, "answer": "hi", "pad": "x" * 5000}) + "\n" for n in range(200)))

    with subprocess.Popen(
        [*COMMAND, source, "-m", "toxicity"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        assert json.loads(child.stdout.readline())["id"] == 0
        child.stdout.close()
        assert child.stderr.read() == b""
        assert child.wait(60) == 1


@settings(max_examples=200, deadline=None)
@given(st.binary() | st.text().map(str.encode))
def test_no_bytes_make_it_crash(data: bytes) -> None:
    found = list(read_rows(io.BytesIO(data)))

    assert len(found) <= data.count(b"\n") + 1
    assert all((row.interaction is None) == bool(row.error) for row in found)
    for row in found:
        json.dumps(row.fields)
