"""Reading recorded OTLP: which signal a file holds, and where a bad one is bad."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_agent_eval.commands import otlp_files
from otel_agent_eval.commands.otlp_files import FileError, read_requests

RECORDINGS = Path(__file__).parents[1] / "recordings"
FILES = sorted(RECORDINGS.rglob("*.bin"))
SPAN = {"traceId": "0" * 31 + "1", "spanId": "0" * 15 + "1", "name": "a"}
REQUEST = {"resourceSpans": [{"scopeSpans": [{"spans": [SPAN]}]}]}


def error_of(path: Path) -> str:
    (error,) = read_requests(path)
    assert isinstance(error, FileError)
    return str(error).removeprefix(f"{path}: ")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(RECORDINGS).as_posix())
def test_the_signal_of_a_request_is_found_by_its_structure(path: Path, tmp_path: Path) -> None:
    unnamed = tmp_path / "recorded.bin"
    unnamed.write_bytes(path.read_bytes())

    (request,) = read_requests(unnamed)

    expected = ExportLogsServiceRequest if path.name.startswith("logs") else ExportTraceServiceRequest
    assert type(request) is expected


def test_metrics_are_told_from_traces_and_logs(tmp_path: Path) -> None:
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="m", description="d", unit="s")
    metric.sum.data_points.add(as_int=1, time_unix_nano=1)
    path = tmp_path / "m.bin"
    path.write_bytes(request.SerializeToString())

    assert list(read_requests(path)) == [request]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.bin", b"", "the file is empty"),
        ("a.bin", b"\x00", "byte 0: not an OTLP request of traces or logs in protobuf"),
        ("a.bin", b"\x89PNG\r\n\x1a\n", "byte 0: not an OTLP request of traces or logs in protobuf"),
        ("a.bin", b"\x0a\x02\x0a\x00\x0a\x05\x0a", "byte 4: not an OTLP request of traces or logs in protobuf"),
        ("a.bin", json.dumps(REQUEST).encode(), "byte 0: not an OTLP request of traces or logs in protobuf"),
        ("a.json", b"", "the file is empty"),
        ("a.json", b"hello", "byte 0: not an OTLP request of traces or logs in protobuf"),
        ("a.json", b"{", "line 1 column 2: not JSON: Expecting property name enclosed in double quotes"),
        ("a.json", b"{}", "expected an object with resourceSpans or resourceLogs or resourceMetrics"),
        ("a.json", b"[3]", "expected an object with resourceSpans or resourceLogs or resourceMetrics"),
        ("a.json", b'{"resourceSpans": 3}', "resource_spans must be a JSON array"),
        ("a.json", b'{"resourceSpans": "\xff"}', "not JSON: 'utf-8' codec can't decode"),
        ("a.json", b"[" * 200_000, "not JSON: maximum recursion depth exceeded"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_file_that_is_no_otlp_is_named_with_the_place(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)

    assert message in error_of(path)


def test_a_cut_recording_is_named_with_the_byte_where_it_is_cut(tmp_path: Path) -> None:
    whole = FILES[0].read_bytes()
    path = tmp_path / "cut.bin"
    path.write_bytes(whole + whole[: len(whole) // 2])

    assert error_of(path).startswith(f"byte {len(whole)}: ")


def test_of_json_lines_only_the_bad_ones_are_lost(tmp_path: Path) -> None:
    path = tmp_path / "traces.jsonl"
    good = json.dumps(REQUEST)
    path.write_text(f'{{"resourceSpans": [\n{good}\n{{"resourceSpans": [7]}}\n{good}\n')

    first, *found, third, last = read_requests(path)

    assert str(first).startswith(f"{path}: line 1: line 1 column 20: not JSON")
    assert str(third).startswith(f"{path}: line 3: ")
    assert found == [last]
    assert isinstance(last, ExportTraceServiceRequest)


def test_files_that_cannot_be_opened_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert error_of(tmp_path) == "cannot be read: Is a directory"
    assert error_of(tmp_path / "absent") == "cannot be read: No such file or directory"
    assert "a\\x00b: cannot be read" in error_of(Path("a\0b"))
    monkeypatch.setattr(otlp_files, "_MAX_BYTES", 10)
    assert error_of(FILES[0]).startswith("larger than")


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scratch")


@settings(max_examples=200, deadline=None)
@given(
    data=st.binary()
    | st.builds(lambda at, piece: FILES[0].read_bytes()[:at] + piece, st.integers(0, 5000), st.binary()),
    name=st.sampled_from(["a.bin", "a.json"]),
)
def test_no_bytes_make_it_crash(scratch: Path, data: bytes, name: str) -> None:
    path = scratch / name
    path.write_bytes(data)

    for part in read_requests(path):
        assert not isinstance(part, FileError) or str(part).startswith(f"{path}: ")
