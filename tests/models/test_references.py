from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_agent_eval.models.pretrained.reference import HubReference, LocalReference, parse_reference


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cross-encoder/nli-deberta-v3-base", HubReference("cross-encoder/nli-deberta-v3-base")),
        ("owner/name@v1.0", HubReference("owner/name", "v1.0")),
        ("owner/name/onnx/model.onnx", HubReference("owner/name", "", "onnx/model.onnx")),
        ("owner/name@0a1b/onnx/model.onnx", HubReference("owner/name", "0a1b", "onnx/model.onnx")),
        ("detoxify/original", HubReference("unitary/toxic-bert")),
        ("detoxify/multilingual@main", HubReference("unitary/multilingual-toxic-xlm-roberta", "main")),
        ("./folder", LocalReference(Path("folder"))),
        ("/srv/models/nli@2", LocalReference(Path("/srv/models/nli@2"))),
        ("~/toxic.ckpt", LocalReference(Path("~/toxic.ckpt"))),
    ],
)
def test_a_name_says_where_a_model_is(text: str, expected: HubReference | LocalReference) -> None:
    assert parse_reference(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "gpt",
        "a b/c",
        "owner/name@",
        "owner/../etc/passwd",
        "owner/name/../../x",
        "https://host/a/b",
        "-o/n",
        "a/b\n",
    ],
)
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected builtin, owner/name\[@revision\]"):
        parse_reference(text)


def test_an_unknown_model_of_detoxify_names_those_there_are() -> None:
    with pytest.raises(
        ValueError, match="expected one of: detoxify/original, detoxify/unbiased, detoxify/multilingual"
    ):
        parse_reference("detoxify/small")


@given(text=st.text(max_size=60))
def test_any_text_is_a_name_or_refused(text: str) -> None:
    try:
        found = parse_reference(text)
    except ValueError:
        return
    if isinstance(found, HubReference) and not text.startswith("detoxify/"):
        assert str(found) == text
