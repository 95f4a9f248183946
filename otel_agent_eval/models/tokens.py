"""Text to tokens, and texts of any length to windows that a model can read whole."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer as _Tokenizer

from otel_agent_eval.models.runtime import ModelError

# WordPiece turns a run of more than 100 letters into one unknown token; cut, every part of it is read.
_LONG_WORD = re.compile(r"\w{100}(?=\w)")

_PAIR_MARKS = 3  # [CLS] first [SEP] second [SEP]
_OVERLAP = 32

Ids = Sequence[int]


@dataclass(frozen=True, slots=True)
class Window:
    """What a model reads at once: token ids with their special tokens, and the type of each."""

    ids: tuple[int, ...]
    types: tuple[int, ...]


class Tokenizer:
    """A `tokenizer.json` of the BERT family."""

    def __init__(self, path: Path) -> None:
        try:
            self._tokenizer = _Tokenizer.from_file(str(path))
        except Exception as error:  # tokenizers raises bare Exception
            raise ModelError(f"{path} cannot be loaded as a tokenizer ({type(error).__name__})") from error
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._cls, self._sep = self._special("[CLS]"), self._special("[SEP]")
        self.padding = self._special("[PAD]")

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of each text, whole and without special tokens. Takes any string."""
        readable = [_LONG_WORD.sub(r"\g<0> ", _without_surrogates(text)) for text in texts]
        encodings = self._tokenizer.encode_batch_fast(readable, add_special_tokens=False)
        return [encoding.ids for encoding in encodings]

    def knows(self, word: str) -> bool:
        """Tell whether a lower-case word is one token."""
        return self._tokenizer.token_to_id(word) is not None

    @property
    def last(self) -> int:
        """The highest token id that a text can have."""
        return int(self._tokenizer.get_vocab_size(with_added_tokens=False)) - 1

    def single(self, ids: Ids) -> Window:
        """Return the window that holds one text."""
        return Window((self._cls, *ids, self._sep), (0,) * (len(ids) + 2))

    def pair(self, first: Ids, second: Ids) -> Window:
        """Return the window that holds two texts; the second one's tokens have the type 1."""
        ids = (self._cls, *first, self._sep, *second, self._sep)
        return Window(ids, (0,) * (len(first) + 2) + (1,) * (len(second) + 1))

    def pairs(self, first: Ids, second: Ids, size: int) -> list[list[Window]]:
        """Return windows of at most `size` tokens with every part of the first text beside every part of the second.

        The outer list goes through the parts of the second text, the inner ones through those of the first. Two texts
        that fit together make one window; where both are long each gets half the room.
        """
        room = size - _PAIR_MARKS
        for_second = min(len(second), max(room - len(first), room // 2))
        seconds = [second[part] for part in spans(len(second), for_second)]
        firsts = [first[part] for part in spans(len(first), room - for_second)]
        return [[self.pair(a, b) for a in firsts] for b in seconds]

    def _special(self, token: str) -> int:
        number = self._tokenizer.token_to_id(token)
        if number is None:
            raise ModelError(f"the tokenizer does not know {token}")
        return int(number)


def spans(length: int, size: int, stride: int = 0) -> list[slice]:
    """Cover `length` positions with slices of `size`, each `stride` after the one before; the last ends at the end.

    Without a stride they overlap by 32 positions. What is not longer than `size` is one slice.
    """
    if length <= size:
        return [slice(0, length)]
    step = stride or max(size - _OVERLAP, size // 2, 1)
    starts = [*range(0, length - size, step), length - size]
    return [slice(start, start + size) for start in starts]


def _without_surrogates(text: str) -> str:
    """Replace lone surrogates, which are not characters and cannot be encoded."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
