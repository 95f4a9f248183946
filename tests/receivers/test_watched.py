"""Files that change on disk: the newest that can be used counts."""

import logging
import os
from pathlib import Path

import pytest

from otel_agent_eval.watched import UnusableError, Watched


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def watched(file: Path, clock: Clock, *, strict: bool = False) -> Watched[str]:
    def read() -> str:
        text = file.read_text()
        if text == "broken":
            raise ValueError("it is broken")
        return text

    return Watched([file], read, strict=strict, interval=1.0, clock=clock)


def test_a_changed_file_is_read_again_after_the_interval(tmp_path: Path) -> None:
    file, clock = tmp_path / "file", Clock()
    file.write_text("one")
    value = watched(file, clock)
    file.write_text("another")
    assert value.get() == "one"
    clock.now += 1.0
    assert value.get() == "another"


def test_an_unchanged_file_is_the_same_object(tmp_path: Path) -> None:
    file, clock = tmp_path / "file", Clock()
    file.write_text("one" * 1000)
    value = watched(file, clock)
    first = value.get()
    clock.now += 10.0
    assert value.get() is first


def test_a_link_that_leads_elsewhere_is_a_change(tmp_path: Path) -> None:
    """Kubernetes renews secrets by turning a link."""
    clock, link = Clock(), tmp_path / "link"
    for name in ("one", "two"):
        (tmp_path / name).write_text(name)
        os.utime(tmp_path / name, (1, 1))
    link.symlink_to("one")
    value = watched(link, clock)
    link.unlink()
    link.symlink_to("two")
    clock.now += 1.0
    assert value.get() == "two"


@pytest.mark.parametrize("broken", ["broken", None])
def test_what_cannot_be_used_leaves_the_old_and_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, broken: str | None
) -> None:
    file, clock = tmp_path / "file", Clock()
    file.write_text("good")
    value = watched(file, clock)
    file.unlink()
    if broken is not None:
        file.write_text(broken)
    for _ in range(3):
        clock.now += 1.0
        assert value.get() == "good"
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert vars(caplog.records[0])["files"] == str(file)


def test_what_is_strict_gives_nothing_until_the_files_can_be_used_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file, away, clock = tmp_path / "file", tmp_path / "away", Clock()
    file.write_text("good")
    value = watched(file, clock, strict=True)
    assert value.get() == "good"
    file.rename(away)
    for _ in range(3):
        clock.now += 1.0
        for _ in range(2):
            with pytest.raises(UnusableError):
                value.get()
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    away.rename(file)  # the very file that was used before
    clock.now += 1.0
    assert value.get() == "good"
    file.write_text("broken")
    clock.now += 1.0
    with pytest.raises(UnusableError):
        value.get()
    file.write_text("a new one")
    clock.now += 1.0
    assert value.get() == "a new one"


def test_after_a_broken_file_a_good_one_counts(tmp_path: Path) -> None:
    file, clock = tmp_path / "file", Clock()
    file.write_text("good")
    value = watched(file, clock)
    for text, expected in (("broken", "good"), ("better", "better")):
        file.write_text(text)
        clock.now += 1.0
        assert value.get() == expected


def test_a_file_that_is_broken_from_the_start_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("broken")
    with pytest.raises(ValueError, match="it is broken"):
        watched(tmp_path / "file", Clock())
