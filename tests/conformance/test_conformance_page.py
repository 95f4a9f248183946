"""docs/conformance.md names, for each rule, tests that exist."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "conformance.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))


@pytest.mark.parametrize(("file", "name"), NAMED, ids=[name for _, name in NAMED])
def test_each_test_that_the_page_names_is_there(file: str, name: str) -> None:
    tree = ast.parse((ROOT / file).read_text())
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_each_rule_of_the_page_names_a_test_and_all_of_this_folder_are_named() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and "tested by" not in line]
    assert len(rows) > 30
    assert all("::test_" in row for row in rows)
    here = {
        name
        for path in Path(__file__).parent.glob("test_*_rules.py")
        for name in re.findall(r"def (test_\w+)", path.read_text())
    }
    assert here <= {name for _, name in NAMED}
