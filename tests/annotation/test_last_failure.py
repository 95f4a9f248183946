import json
import logging
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otel_agent_eval.annotation.last_failure import LastFailureFile

NOW = 1_700_000_000.0
FAILURES = [({"gen_ai.evaluation.name": "toxicity", "service.name": "shop"}, NOW - 60), ({}, NOW - 1.5)]


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "state" / "last_failure.json"
    assert LastFailureFile(path).save(FAILURES)
    assert LastFailureFile(path).load(NOW) == FAILURES
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["last_failure.json"]


def test_no_file_is_no_failure_and_no_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert LastFailureFile(tmp_path / "none.json").load(NOW) == []
    assert not caplog.records


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b'{"version": 2, "series": []}',
        b'{"version": 1}',
        b'{"version": 1, "series": [{"attributes": {"a": 1}, "time": 1}]}',
        b'{"version": 1, "series": [{"attributes": {}, "time": -1}]}',
        b'{"version": 1, "series": [{"attributes": {}, "time": "x"}]}',
        b'{"version": 1, "series": [{"attributes": {}, "time": NaN}]}',
        b"[" * 100_000,
    ],
)
def test_a_corrupt_file_gives_one_warning_and_a_fresh_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    path = tmp_path / "last_failure.json"
    path.write_bytes(content)
    file = LastFailureFile(path)
    assert file.load(NOW) == []
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert file.save(FAILURES)
    assert LastFailureFile(path).load(NOW) == FAILURES


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_no_json_crashes_the_start(tmp_path: Path, document: object) -> None:
    path = tmp_path / "last_failure.json"
    path.write_text(json.dumps({"version": 1, "series": document}))
    assert isinstance(LastFailureFile(path).load(NOW), list)


def test_old_failures_are_forgotten_and_future_ones_are_now(tmp_path: Path) -> None:
    path = tmp_path / "last_failure.json"
    LastFailureFile(path).save([({"service.name": "old"}, NOW - 31 * 24 * 3600), ({"service.name": "new"}, NOW + 99)])
    assert LastFailureFile(path).load(NOW) == [({"service.name": "new"}, NOW)]


def test_a_file_that_cannot_be_written_is_warned_of_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("in the way")
    file = LastFailureFile(tmp_path / "file" / "last_failure.json")
    assert [file.save(FAILURES), file.save(FAILURES)] == [False, False]
    assert len(caplog.records) == 1


def test_saving_again_without_a_change_leaves_the_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "last_failure.json"
    LastFailureFile(path).save(FAILURES)
    file = LastFailureFile(path)
    loaded = file.load(NOW)
    path.unlink()
    assert file.save(loaded)
    assert not path.exists()
    assert file.save([])
    assert path.exists()
