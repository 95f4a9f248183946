"""Evaluators for the tests of workers, in a module that a child process can import."""

import logging
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from otel_agent_eval.evaluation import Direction, Evaluation, Evaluator, Interaction, Label, Part, Scored
from otel_agent_eval.evaluation.evaluator import Steps
from otel_agent_eval.models.runtime import ModelError


class Echo:
    """Scores 1; obeys orders in the answer. Of "steps" it takes twenty, of ten milliseconds each.

    "tell" logs at each level, "tell and die" dies after that, "tell later" logs after it has answered.
    """

    name = "echo"
    version = "test/echo@1"
    direction = Direction.HIGHER_IS_BETTER
    needs = frozenset({Part.ANSWER})
    judges_answer = True
    evidence: tuple[str, ...] = ("where",)
    threshold = 0.5

    def evaluate(self, batch: Sequence[Interaction]) -> list[Evaluation]:
        return [self._judge(interaction.answer) for interaction in batch]

    def steps(self, batch: Sequence[Interaction]) -> Steps:
        for _ in range(20 if batch[0].answer == "steps" else 0):
            time.sleep(0.01)
            yield
        return self.evaluate(batch)

    def _judge(self, order: str) -> Evaluation:
        if order in {"tell", "tell and die"}:
            _tell(order)
        if order == "tell later":
            threading.Timer(0.1, _tell_and_note, ["later"]).start()
        if order in {"die", "tell and die"}:
            os._exit(13)
        if order == "raise":
            raise ValueError("a message that may quote the answer")
        if order == "loop":
            while True:
                pass
        if order == "exhaust":
            bytearray(1 << 62)
        if order == "wait":
            Path(os.environ["GATE"]).read_bytes()  # of a FIFO: until somebody writes to it
        if order == "sleep":
            time.sleep(0.5)
        where = f"{os.getpid()}/{threading.current_thread().name}"
        return Scored(score=1.0, label=Label.PASS, threshold=0.5, evidence={"where": (where,)})


def _tell(message: str) -> None:
    for level in (logging.DEBUG, logging.INFO, logging.ERROR):
        logging.getLogger("echo").log(level, message)


def _tell_and_note(message: str) -> None:
    _tell(message)
    Path(os.environ["TOLD"]).touch()


def load_echo() -> list[Evaluator]:
    return [Echo()]


def load_and_tell() -> list[Evaluator]:
    odd = {"path": Path("there"), "names": ("a", "b"), "call": lambda: None, "share": 0.5}
    try:
        raise ModelError("a message that may quote the answer")  # noqa: TRY301 (what is logged is the point)
    except ModelError:
        logging.getLogger("loader").exception("it %s", "broke", extra=odd)
    logging.getLogger("loader").debug("of no interest")
    return load_nothing() if "NOTHING" in os.environ else [Echo()]


def load_nothing() -> list[Evaluator]:
    raise ModelError("model.onnx is damaged")


def load_wrong() -> list[Evaluator]:
    raise KeyError("heads")


def load_and_die() -> list[Evaluator]:
    os._exit(13)


def load_if_there() -> list[Evaluator]:
    if not Path(os.environ["NEEDED"]).exists():
        raise ModelError("model.onnx is missing")
    return [Echo()]
