"""A folder that cannot be used is told in one line that says what to change, and stays as it is."""

import os
from pathlib import Path

import pytest

from otel_agent_eval.journal import Folder, QueueError


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def check(folder: Path, match: str) -> None:
    """Check that a folder is refused, and that nothing in it was touched."""
    before = contents(folder) if folder.is_dir() else {}
    with pytest.raises(QueueError, match=match) as raised:
        Folder(folder).claim()
    assert "\n" not in str(raised.value)
    assert "service.queue.path" in str(raised.value) or "newer" in str(raised.value)
    if folder.is_dir():
        assert contents(folder) == before


def test_folder_of_a_running_process_is_refused(tmp_path: Path) -> None:
    with Folder(tmp_path):
        check(tmp_path, f"in use by process {os.getpid()}")
    with Folder(tmp_path):
        pass


def test_folder_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    for version in ("2\n", "99"):
        (tmp_path / "format").write_text(version)
        check(tmp_path, f"newer version: its format is {version.strip()},")


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "is empty"), (b"\n", "is empty"), (b"x", "says 'x'"), (b"-1", "says '-1'"), (b"0\n", "says '0'"),
     (b"1.5", "says '1.5'"), (b"\xff\x00", r"says '\\ufffd\\x00'"), ("\u0661".encode(), "says '.u0661'")],
)  # fmt: skip
def test_folder_with_a_damaged_format_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "format").write_bytes(content)
    check(tmp_path, f"is damaged, or none: its file format {said}, and holds")


def test_nothing_stays_of_a_queue_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.pwrite", full)
    monkeypatch.setattr("os.fsync", full)
    check(tmp_path, "No space left")
    assert not list(tmp_path.iterdir())
    check(tmp_path / "queue", "No space left")
    assert not list(tmp_path.iterdir())


def test_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("important")
    check(tmp_path, "other files")


def test_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("important")
    check(file, "File exists")
    check(file / "below", "Not a directory")
    assert file.read_text() == "important"


def test_folder_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 12345)
    check(tmp_path, "belongs to another user")


def test_folder_that_is_not_writable_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> int:  # to root a mode denies nothing
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.open", denied)
    check(tmp_path, "Permission denied")


def test_queue_on_a_full_disk_can_be_claimed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with Folder(tmp_path):
        pass
    monkeypatch.setattr("os.pwrite", full)
    with Folder(tmp_path):
        check(tmp_path, "in use by process [?]")


def test_folder_that_cannot_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.open", denied)
    check(tmp_path, "Permission denied")


def test_only_a_folder_that_is_a_queue_can_be_looked_into(tmp_path: Path) -> None:
    with pytest.raises(QueueError, match="no queue"):
        Folder.existing(tmp_path / "nowhere")
    with Folder(tmp_path / "queue"):
        pass
    assert Folder.existing(tmp_path / "queue").segments() == []
