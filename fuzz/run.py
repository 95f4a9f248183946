"""Fuzzes the parts that read what others send: `python fuzz/run.py --seconds 60 [TARGET ...]`.

Each target runs under atheris (`pip install -e .[fuzz]`), which mutates the inputs of `corpus/` and keeps what reaches
new code in a folder that is thrown away; `--grow` adds it to the corpus. What is found wrong is written to `findings/`,
one file an input, and `--replay FILE TARGET` runs it again.
"""

import argparse
import hashlib
import re
import shlex
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
CORPUS, FINDINGS = HERE / "corpus", HERE / "findings"
_TOO_SLOW = 20  # seconds for one input
_LONGEST, _LONGEST_KEPT = 4_000, 2_000  # bytes of an input
_MEMORY = 2_048  # MiB
_WORDS = 300
_WORD = re.compile(rb'"[\w.:]{2,50}"|[\w.]{4,40}[:=]|[\[\]{}()<>"\'\\\\]{2,8}')


def main() -> int:
    """Run what the command line says; 1 where something was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="all by default")
    parser.add_argument("--seconds", type=int, default=60, help="for each target (60)")
    parser.add_argument("--seeds", action="store_true", help="begin with recordings too, not only with the corpus")
    parser.add_argument("--grow", action="store_true", help="add to the corpus what reached new code")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="run one input through one target")
    parser.add_argument("--fuzz", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)  # the child process of a target
    options = parser.parse_args()
    if options.fuzz:
        _fuzz(options.fuzz[0], options.fuzz[1:])
    from targets import TARGETS  # noqa: PLC0415 (a child process imports it under instrumentation)

    names = options.targets or list(TARGETS)
    if unknown := set(names) - TARGETS.keys():
        parser.error(f"no such target: {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    if options.replay is not None:
        for name in names:
            TARGETS[name](options.replay.read_bytes())
        return 0
    found = [name for name in names if not _run(name, options.seconds, with_seeds=options.seeds, grow=options.grow)]
    if found:
        print(f"found something in {', '.join(found)}: see {FINDINGS}")
    return 1 if found else 0


def _run(name: str, seconds: int, *, with_seeds: bool, grow: bool) -> bool:
    """Fuzz one target in a process of its own; whether nothing was found."""
    FINDINGS.mkdir(exist_ok=True)
    own = CORPUS / name
    own.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        new, begin = Path(folder, "new"), Path(folder, "begin")
        new.mkdir()
        begin.mkdir()
        if with_seeds:
            from seeds import seeds  # noqa: PLC0415 (only here)

            _write(begin, seeds()[name])
        words = Path(folder, "words")
        words.write_text(_dictionary([*own.iterdir(), *begin.iterdir()]))
        limits = (f"-dict={words}", f"-max_total_time={seconds}", f"-timeout={_TOO_SLOW}", f"-rss_limit_mb={_MEMORY}")
        prefix = f"-artifact_prefix={FINDINGS}/{name}-"
        sound = _child(name, *limits, "-print_final_stats=1", prefix, f"-max_len={_LONGEST}", new, own, begin)
        if grow:
            _grow(name, Path(folder), (own, new, begin))
    return sound


def _dictionary(inputs: Iterable[Path]) -> str:
    """Return the names and marks that stand in most inputs, for mutations to put elsewhere."""
    count = Counter(word for path in inputs for word in set(_WORD.findall(path.read_bytes())))
    most = [word.decode().replace("\\", "\\\\").replace('"', '\\"') for word, _ in count.most_common(_WORDS)]
    return "".join(f'"{word}"\n' for word in most)


def _grow(name: str, folder: Path, inputs: Sequence[Path]) -> None:
    """Make of all inputs a corpus of few and short ones that reach the same code."""
    merged, itself = folder / "merged", folder / "itself"
    merged.mkdir()
    itself.write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, __file__, "--fuzz", name])} "$@"\n')
    itself.chmod(0o700)  # libFuzzer runs its first argument again, once for each input that it does not survive
    if _child(name, f"--program={itself}", "-merge=1", merged, *inputs):
        kept = sorted((path.read_bytes() for path in merged.iterdir()), key=lambda data: (len(data), data))
        for path in inputs[0].iterdir():
            path.unlink()
        _write(inputs[0], [data for data in kept if len(data) <= _LONGEST_KEPT])


def _child(name: str, *arguments: object) -> bool:
    """Run libFuzzer on one target; whether it ended well."""
    command = [sys.executable, __file__, "--fuzz", name, *map(str, arguments)]
    return subprocess.run(command, check=False).returncode == 0


def _write(folder: Path, inputs: Iterable[bytes]) -> None:
    for data in inputs:
        (folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)  # so that only what is new changes names


def _fuzz(name: str, arguments: list[str]) -> None:
    """Hand this process over to libFuzzer."""
    import atheris  # noqa: PLC0415 (needed for fuzzing only, not for replaying)

    with atheris.instrument_imports(include=["otel_agent_eval"]):
        from targets import TARGETS  # noqa: PLC0415 (instrumented)

    program = next((a.partition("=")[2] for a in arguments if a.startswith("--program=")), sys.argv[0])
    atheris.Setup([program, *(a for a in arguments if not a.startswith("--program="))], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
