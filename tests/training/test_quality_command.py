"""`benchmarks/quality.py` as it is called, with the built-in evaluators on a few rows."""

import json
import subprocess
import sys
from pathlib import Path

from labelled_sets import write_set

COMMAND = Path(__file__).resolve().parents[2] / "benchmarks" / "quality.py"


def measure(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    arguments = [sys.executable, str(COMMAND), "--data", str(folder), "--rounds", "20", *options]
    return subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=100)


def test_one_command_writes_the_page_the_numbers_and_the_rates(tmp_path: Path) -> None:
    documents = ["The tower is 330 metres high.", "It stands in Paris."]
    claims = [("The tower is 330 metres high.", 1), ("The tower is in Rome and has a lift.", 0)] * 4
    write_set(
        tmp_path,
        "faithfulness/rte",
        [{"answer": a, "label": y, "context": documents, "question": None} for a, y in claims],
    )
    replies = [("At nine.", 1), ("I prefer the blue shirt.", 0)]
    said = ["We open on Monday.", "When do you open?"]
    dialogue = [{"history": said, "question": said[-1], "answer": a, "label": y} for a, y in replies]
    write_set(tmp_path, "relevance/dailydialogpp_dev", dialogue)
    page = tmp_path / "page.md"
    page.write_text("# Quality\n\n<!-- measured: begin -->\nwhat was there\n<!-- measured: end -->\n\n## Limits\n")
    files = {name: tmp_path / f"{name}.json" for name in ("out", "rates")}

    run = measure(
        tmp_path,
        *("--kinds", "faithfulness", "relevance", "--markdown", str(page)),
        *(part for name, path in files.items() for part in (f"--{name}", str(path))),
    )

    assert run.returncode == 0, run.stderr
    text = page.read_text()
    assert text.startswith("# Quality\n\n<!-- measured: begin -->\n")
    assert text.endswith("<!-- measured: end -->\n\n## Limits\n")
    assert "what was there" not in text
    assert "| rte | 8 (4) |" in text
    found = json.loads(files["out"].read_text())
    assert [result["name"] for result in found["results"]] == ["rte", "dailydialogpp_dev"]
    assert found["results"][0]["metrics"]["auc"][0] == 1.0
    versions = {entry["version"] for entry in found["evaluators"].values()}
    assert set(json.loads(files["rates"].read_text())) == versions


def test_a_comparison_that_names_no_kind_is_refused(tmp_path: Path) -> None:
    run = measure(tmp_path, "--kinds", "relevance", "--compare", "owner/model")
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1] == "--compare owner/model: expected KIND=MODEL with one of relevance"
