import datetime as dt
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from otel_agent_eval.cli import app
from otel_agent_eval.commands.findings import Finding, add, read

DAY = dt.date(2026, 3, 4)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["findings", *arguments])


def test_a_finding_is_a_dated_file_that_lists_again(tmp_path: Path) -> None:
    folder = str(tmp_path / "log")
    title = "Prices: made up, für Elise & co"
    added = run("add", title, "--alert", "AgentEvalX", "--service", "shop", "--date", "2026-03-04", "--folder", folder)
    path = tmp_path / "log" / "2026-03-04-prices-made-up-fur-elise-co.md"
    assert (added.exit_code, added.output) == (0, f"{path}\n")
    assert path.read_text("utf-8").startswith("---\ndate: 2026-03-04\ntitle: 'Prices: made up, für Elise & co'\n")
    assert "## What was done" in path.read_text("utf-8")
    (line,) = run("list", "--json", "--folder", folder).output.splitlines()
    expected = {"date": "2026-03-04", "title": title, "status": "open", "alert": "AgentEvalX", "service": "shop"}
    assert json.loads(line) == expected
    assert "AgentEvalX" in run("list", "--folder", folder).output


def test_the_same_title_twice_overwrites_nothing(tmp_path: Path) -> None:
    first, second = (add(tmp_path, Finding(date=DAY, title="Again", service=name)) for name in ("a", "b"))
    assert second.name == "2026-03-04-again-2.md"
    assert [read(path).service for path in (first, second)] == ["a", "b"]


def test_findings_are_listed_newest_first_and_closed_ones_can_be_left_out(tmp_path: Path) -> None:
    for day, status in ((1, "open"), (3, "closed"), (2, "open")):
        finding = Finding.model_validate({"date": DAY.replace(day=day), "title": f"day {day}", "status": status})
        add(tmp_path, finding)
    everything = run("list", "--json", "--folder", str(tmp_path)).output.splitlines()
    only_open = run("list", "--json", "--open", "--folder", str(tmp_path)).output.splitlines()
    assert [json.loads(line)["title"] for line in everything] == ["day 3", "day 2", "day 1"]
    assert [json.loads(line)["title"] for line in only_open] == ["day 2", "day 1"]


def test_fields_of_a_team_and_windows_line_ends_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "x.md"
    path.write_bytes(b"---\r\ndate: 2026-03-04\r\ntitle: t\r\nowner: ann\r\n---\r\n\r\ntext\r\n")
    assert read(path).model_dump()["owner"] == "ann"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no front matter between two lines of ---"),
        (b"# Title\n", "no front matter between two lines of ---"),
        (b"---\ndate: 2026-03-04\n", "no front matter between two lines of ---"),
        (b"\xff\xfe---\n", "not a text file in UTF-8"),
        (b"---\n[\n---\n", "front matter: not valid YAML"),
        (b"---\ntitle: x\n---\n", "front matter: date: Field required"),
        (b"---\ndate: 2026-02-30\ntitle: x\n---\n", "front matter: "),
        (b"---\ndate: 2026-02-03\ntitle: x\nstatus: done\n---\n", "front matter: status: "),
        (b"---\ntext\n---\n", "front matter: all: "),
    ],
)
def test_a_file_that_is_no_finding_is_named_and_hides_no_other(tmp_path: Path, content: bytes, message: str) -> None:
    add(tmp_path, Finding(date=DAY, title="fine"))
    (tmp_path / "wrong.md").write_bytes(content)
    listed = run("list", "--json", "--folder", str(tmp_path))
    assert listed.exit_code == 1
    assert f"{tmp_path / 'wrong.md'}: {message}" in listed.output
    assert '"title":"fine"' in listed.output


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.text(max_size=300), st.text(max_size=30))
def test_any_title_comes_back_or_is_refused_in_one_line(tmp_path: Path, title: str, service: str) -> None:
    try:
        finding = Finding(date=DAY, title=title, service=service)
        finding.model_dump_json().encode()
    except (ValueError, UnicodeEncodeError):
        return
    path = add(tmp_path, finding)
    assert path.parent == tmp_path
    assert path.name.isascii()


@pytest.mark.parametrize("arguments", [("add", " "), ("add", "x", "--date", "soon"), ("list",)])
def test_bad_input_is_one_line(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = run(*arguments, "--folder", str(tmp_path / "none"))
    assert done.exit_code == 1
    assert done.output.count("\n") == 1
    assert not (tmp_path / "none").exists()


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("add", "x", "--folder", str(tmp_path / "file"))
    assert (done.exit_code, done.output.count("\n")) == (1, 1)
