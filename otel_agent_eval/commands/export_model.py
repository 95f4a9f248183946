"""`otel-agent-eval models export`: an ONNX file of a model, and how far its scores lie from those in torch."""

import sys
from collections.abc import Sequence
from pathlib import Path

from otel_agent_eval.commands.models import megabytes, parse, told
from otel_agent_eval.evaluation import Document, Evaluator, Interaction, Scored
from otel_agent_eval.models.pretrained.export import export as write
from otel_agent_eval.models.pretrained.files import resolve
from otel_agent_eval.models.pretrained.model import load_files
from otel_agent_eval.models.pretrained.reference import LocalReference
from otel_agent_eval.models.processor import available_cores
from otel_agent_eval.models.runtime import ModelError
from otel_agent_eval.processors.pretrained.load import fitting, make_evaluator

_BOUND, _BOUND_INT8 = 0.001, 0.05
"""How far a score may lie from that of torch."""
_DOCUMENTS = (
    Document(id="1", text="The Eiffel Tower in Paris is 330 metres tall. It was finished in 1889."),
    Document(id="2", text="Up to 7 million people visit it every year; a ticket to the top costs 36.70 euros."),
)
_QUESTION = "How tall is the Eiffel Tower?"
_SAMPLES = tuple(
    Interaction(question=question, answer=answer, documents=_DOCUMENTS)
    for question, answer in (
        (_QUESTION, "The Eiffel Tower is 330 metres tall."),
        (_QUESTION, "It is 450 metres tall, and it was finished in 1925 by a team of Swiss engineers."),
        (_QUESTION, "You are an idiot, look it up yourself."),
        ("Wie viele Menschen besuchen ihn?", "Jedes Jahr kommen bis zu 7 Millionen Menschen."),
        ("What does a ticket cost?", "A ticket to the top costs 36.70 euros. " * 40),
        ("Thanks!", "You're welcome! Is there anything else that you would like to know?"),
    )
)
"""What a model is asked before and after it was written: a short answer, a wrong, rude, foreign, long and empty one."""


def export(name: str, folder: Path, evaluator: str, labels: Sequence[str], *, int8: bool) -> None:
    """Write a model as ONNX and print its scores beside those in torch; exit with 1 where they lie too far apart."""
    with told():
        model = load_files(resolve(parse(name)), available_cores())
        evaluator = evaluator or next(iter(fitting(model.card)), "")
        if not evaluator:
            raise ModelError(f"say with --evaluator what {name} is for, and with --label which of its labels decide")
        before = make_evaluator(evaluator, model, labels)
        write(model, folder, int8=int8)
        written = load_files(resolve(LocalReference(folder.absolute())), available_cores(), "onnxruntime")
        after = make_evaluator(evaluator, written, labels)
    farthest = _compare(before, after)
    sizes = f"{megabytes(written.files.size)}, was {megabytes(model.files.size)}"
    sys.stdout.write(f"{folder}: {after.version}, {sizes}\n")
    bound = _BOUND_INT8 if int8 else _BOUND
    if not farthest <= bound:
        sys.exit(f"{evaluator} scores lie up to {farthest:.4f} from those in torch: more than {bound}")


def _compare(before: Evaluator, after: Evaluator) -> float:
    """Print the scores of the samples by both, and return the largest difference."""
    largest = 0.0
    sys.stdout.write(f"{before.name}      torch     onnx  difference\n")
    for number, (one, other) in enumerate(zip(before.evaluate(_SAMPLES), after.evaluate(_SAMPLES), strict=True), 1):
        if isinstance(one, Scored) and isinstance(other, Scored):
            difference = abs(one.score - other.score)
            sys.stdout.write(f"sample {number}: {one.score:9.4f}{other.score:9.4f}{difference:12.6f}\n")
        else:
            difference = 0.0 if one == other else 1.0
            sys.stdout.write(f"sample {number}: not scored\n")
        largest = max(largest, difference)
    return largest
