"""The tokenizer of any model, with the special tokens that its own file prescribes."""

import re
from collections.abc import Sequence
from pathlib import Path

from tokenizers import Encoding
from tokenizers import Tokenizer as _Tokenizer

from otel_agent_eval.models.runtime import ModelError
from otel_agent_eval.models.tokens import Ids, Window, spans

# WordPiece turns a run of more than 100 letters into one unknown token; cut, every part of it is read.
_LONG_WORD = re.compile(r"\w{100}(?=\w)")
_PROBE = "a"


class PretrainedTokenizer:
    """Texts to token ids, and ids to the windows that a model reads. Takes any string."""

    def __init__(self, tokenizer: _Tokenizer, *, lower: bool = False) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._tokenizer = tokenizer
        self._lower = lower
        self._cuts_words = type(tokenizer.model).__name__ == "WordPiece"
        alone, both = tokenizer.encode(_PROBE), tokenizer.encode(_PROBE, _PROBE)
        self._single = [_marks(alone, 0, None), _marks(alone, None, 0)]
        self._pair = [_marks(both, 0, None), _marks(both, 1, 0), _marks(both, None, 1)]
        self._second_type = next(t for t, part in zip(both.type_ids, both.sequence_ids, strict=True) if part == 1)

    @property
    def single_marks(self) -> int:
        """How many special tokens a window of one text has."""
        return sum(len(marks.ids) for marks in self._single)

    @property
    def leading_marks(self) -> int:
        """How many of them stand before the text."""
        return len(self._single[0].ids)

    @property
    def pair_marks(self) -> int:
        """How many special tokens a window of two texts has."""
        return sum(len(marks.ids) for marks in self._pair)

    @property
    def trailing_marks(self) -> int:
        """How many of these stand at its end."""
        return len(self._pair[2].ids)

    @property
    def last(self) -> int:
        """The highest token id that a text can have."""
        return int(self._tokenizer.get_vocab_size(with_added_tokens=False)) - 1

    def save(self, path: Path) -> None:
        """Write the tokenizer as one file."""
        self._tokenizer.save(str(path))

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of each text, whole and without special tokens."""
        readable = [_readable(text, lower=self._lower) for text in texts]
        if self._cuts_words:
            readable = [_LONG_WORD.sub(r"\g<0> ", text) for text in readable]
        return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(readable, add_special_tokens=False)]

    def offsets(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Return the token ids of a text, and where in it each one begins and ends."""
        encoding = self._tokenizer.encode(_readable(text, lower=self._lower), add_special_tokens=False)
        return encoding.ids, encoding.offsets

    def cut(self, text: str, size: int) -> list[str]:
        """Cut a text into parts of at most about `size` tokens, which overlap."""
        ids, offsets = self.offsets(text)
        if len(ids) <= size:
            return [text]
        return [text[offsets[part.start][0] : offsets[part.stop - 1][1]] for part in spans(len(ids), size)]

    def single(self, ids: Ids) -> Window:
        """Return the window that holds one text."""
        before, after = self._single
        return Window((*before.ids, *ids, *after.ids), (*before.types, *(0,) * len(ids), *after.types))

    def pair(self, first: Ids, second: Ids) -> Window:
        """Return the window that holds two texts."""
        before, between, after = self._pair
        ids = (*before.ids, *first, *between.ids, *second, *after.ids)
        second_types = (self._second_type,) * len(second)
        return Window(ids, (*before.types, *(0,) * len(first), *between.types, *second_types, *after.types))


def load_tokenizer(folder: Path, *, lower: bool = False) -> PretrainedTokenizer:
    """Load `tokenizer.json`, or make it by transformers from what the folder has instead. Raises `ModelError`."""
    path = folder / "tokenizer.json"
    try:
        tokenizer = _Tokenizer.from_file(str(path)) if path.exists() else _converted(folder)
        return PretrainedTokenizer(tokenizer, lower=lower)
    except ModelError:
        raise
    except Exception as error:  # tokenizers raises bare Exception
        name = path if path.exists() else folder
        raise ModelError(f"{name} cannot be loaded as a tokenizer ({type(error).__name__})") from error


def _converted(folder: Path) -> _Tokenizer:
    try:
        from transformers import AutoTokenizer  # noqa: PLC0415 (not part of every installation)
    except ImportError as error:
        advice = "pip install 'otel-agent-eval[torch]', which can make one"
        raise ModelError(f"{folder} has no tokenizer.json: {advice}") from error
    made = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False, use_fast=True)
    tokenizer: _Tokenizer = made.backend_tokenizer
    return tokenizer


def _marks(encoding: Encoding, before: int | None, after: int | None) -> Window:
    """Return the special tokens behind the text `after` and before the text `before`; None is the edge."""
    parts = encoding.sequence_ids
    start = 0 if after is None else max(i for i, part in enumerate(parts) if part == after) + 1
    stop = len(parts) if before is None else min(i for i, part in enumerate(parts) if part == before)
    return Window(tuple(encoding.ids[start:stop]), tuple(encoding.type_ids[start:stop]))


def _readable(text: str, *, lower: bool) -> str:
    """Replace lone surrogates, which are not characters and cannot be encoded, one by one."""
    text = text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
    return text.lower() if lower else text
