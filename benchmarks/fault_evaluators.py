"""Evaluators that break what they run in, as a plug-in might; found through `plugin_folder`."""

import resource
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

from otel_agent_eval.evaluation import Direction, Evaluation, Interaction, Label, Part, Scored

_ONE_IN = 30
_ALLOWED = 2 << 30
"""Bytes of address space beyond which the process that holds `Hungry` gets no more."""


class Hanging:
    """Never comes back from one answer in thirty."""

    name = "hanging"
    version = "benchmark/hanging@1"
    direction = Direction.HIGHER_IS_WORSE
    needs = frozenset({Part.ANSWER})
    judges_answer = False
    evidence: tuple[str, ...] = ()
    threshold = 0.5

    def evaluate(self, batch: Sequence[Interaction]) -> list[Evaluation]:
        """Score all but some, which it breaks on."""
        for interaction in batch:
            digest = blake2b(interaction.answer.encode("utf-8", "replace"), digest_size=4).digest()
            if int.from_bytes(digest) % _ONE_IN == 0:
                self._break()
        return [Scored(score=0.1, label=Label.PASS, threshold=self.threshold) for _ in batch]

    def _break(self) -> None:
        while True:
            pass


class Hungry(Hanging):
    """Takes all the memory there is for one answer in thirty."""

    name = "hungry"
    version = "benchmark/hungry@1"

    def __init__(self) -> None:
        resource.setrlimit(resource.RLIMIT_AS, (_ALLOWED, _ALLOWED))  # so that it is the process that has none left

    def _break(self) -> None:
        taken = []
        while True:
            taken.append(bytearray(64 << 20))


def plugin_folder(folder: Path) -> list[Path]:
    """Register the evaluators in a folder; return what must be on the path for them to be found."""
    info = folder / "fault_evaluators-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fault-evaluators\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[otel_agent_eval.evaluators]\nhanging = fault_evaluators:Hanging\nhungry = fault_evaluators:Hungry\n"
    )
    return [folder, Path(__file__).parent]
