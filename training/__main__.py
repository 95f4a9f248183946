"""Train, export, calibrate and measure in one command: ``python -m training --data FOLDER --work FOLDER``."""

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Encoder:
    """One of the two encoders: the folder it is written to, and how it is trained."""

    folder: str
    learned: tuple[str, ...]
    exported: tuple[str, ...]
    tokens: str
    options: tuple[str, ...]


ENCODERS = (
    Encoder("toxicity", ("toxicity",), ("toxicity",), "10e6", ("--rate", "1.4e-4", "--dropout", "0.1")),
    Encoder("grounding", ("support", "relevance", "keep"), ("support", "relevance"), "13e6", ("--rate", "1.5e-4")),
)


def main() -> None:
    """Run the steps, each in its own process, for one encoder after the other."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m training")
    parser.add_argument("--data", type=Path, required=True, help="folder of the labelled sets")
    parser.add_argument("--work", type=Path, required=True, help="folder for checkpoints and measurements")
    parser.add_argument("--out", type=Path, help="folder of the models; default: work/model, which replaces nothing")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    out = options.out or options.work / "model"
    folders, checkpoints = list[Path](), list[Path]()
    for encoder in ENCODERS:
        checkpoint, folder = options.work / f"{encoder.folder}.pt", out / encoder.folder
        learn = ("--heads", *encoder.learned, "--tokens", encoder.tokens, *encoder.options)
        _run("train", "--data", options.data, "--out", checkpoint, *learn)
        words: tuple[object, ...] = ()
        if "toxicity" in encoder.exported:
            words = ("--lexical", options.work / "lexical.npz")
            _run("lexical", "--data", options.data, "--checkpoint", checkpoint, "--out", words[1])
        _run(
            "export", "--data", options.data, "--checkpoint", checkpoint, "--heads", *encoder.exported,
            *words, "--out", folder,
        )  # fmt: skip
        _run("calibrate", "--data", options.data, "--model", folder)
        folders.append(folder)
        checkpoints.append(checkpoint)
    measured = ("--out", options.work / "evaluation.json", "--markdown", options.work / "evaluation.md")
    _run("evaluate", "--data", options.data, "--model", *folders, "--checkpoint", *checkpoints, *measured)


def _run(step: str, *arguments: object) -> None:
    command = [sys.executable, "-m", f"training.{step}", *map(str, arguments)]
    print("+", " ".join(command), flush=True)
    subprocess.run(command, check=True)  # noqa: S603 (our own modules)


if __name__ == "__main__":
    main()
