"""Train, export, calibrate and measure in one command: ``python -m training --data FOLDER --work FOLDER``."""

import argparse
import subprocess
import sys
from pathlib import Path


def main() -> None:
    """Run the five steps, each in its own process."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m training")
    parser.add_argument("--data", type=Path, required=True, help="folder of the labelled sets")
    parser.add_argument("--work", type=Path, required=True, help="folder for the checkpoint and the measurements")
    parser.add_argument("--out", type=Path, help="folder of the model; default: work/model, which replaces nothing")
    parser.add_argument("--tokens", default="9e6", help="tokens to train on; 9e6 take about 45 minutes on two cores")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    out, checkpoint = options.out or options.work / "model", options.work / "builtin.pt"
    _run("train", "--data", options.data, "--out", checkpoint, "--tokens", options.tokens)
    lexical = options.work / "lexical.npz"
    _run("lexical", "--data", options.data, "--checkpoint", checkpoint, "--out", lexical)
    _run("export", "--data", options.data, "--checkpoint", checkpoint, "--lexical", lexical, "--out", out)
    _run("calibrate", "--data", options.data, "--model", out)
    measured = ("--out", options.work / "evaluation.json", "--markdown", options.work / "evaluation.md")
    _run("evaluate", "--data", options.data, "--model", out, "--checkpoint", checkpoint, *measured)


def _run(step: str, *arguments: object) -> None:
    command = [sys.executable, "-m", f"training.{step}", *map(str, arguments)]
    print("+", " ".join(command), flush=True)
    subprocess.run(command, check=True)  # noqa: S603 (our own modules)


if __name__ == "__main__":
    main()
