"""Everything in the corpus of the fuzzer goes through its target, as it did when it was found."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "fuzz"))

from seeds import seeds
from targets import TARGETS

FUZZ = Path(__file__).resolve().parents[2] / "fuzz"
MOST_BYTES = 1_000_000


@pytest.mark.parametrize("name", TARGETS)
def test_what_fuzzing_kept_is_read_as_promised(name: str) -> None:
    inputs = sorted((FUZZ / "corpus" / name).iterdir())
    assert len(inputs) > 10
    for path in inputs:
        try:
            TARGETS[name](path.read_bytes())
        except Exception as error:
            error.add_note(f"input: {path}")
            raise


@pytest.mark.parametrize("name", TARGETS)
def test_inputs_to_begin_with_are_read_as_promised(name: str) -> None:
    inputs = seeds()[name]
    assert inputs
    for data in inputs[:: len(inputs) // 40 + 1]:
        TARGETS[name](data)


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_and_noise_are_survived(name: str) -> None:
    for data in (b"", b"\0", b"\xff" * 100, bytes(range(256)), b"{" * 1_000, b'"' * 1_000, b"\n" * 1_000):
        TARGETS[name](data)


def test_the_corpus_stays_small() -> None:
    assert sum(path.stat().st_size for path in (FUZZ / "corpus").rglob("*") if path.is_file()) < MOST_BYTES
