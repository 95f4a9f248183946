"""The command line. Each command is imported when it is called, so that `--help` and `validate` answer at once."""
# ruff: noqa: PLC0415 (see above)

from pathlib import Path
from typing import Annotated

import typer

from otel_agent_eval import __version__

app = typer.Typer(
    name="otel-agent-eval",
    help="Scores agents' answers for toxicity, faithfulness and relevance, in an OpenTelemetry pipeline.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # they show local variables: content
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)

Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", metavar="FILE", help="Configuration in YAML, in the shape of the Collector's."),
]


@app.callback(invoke_without_command=True)
def _options(
    *, version: Annotated[bool, typer.Option("--version", help="Show the version.", is_eager=True)] = False
) -> None:
    if version:
        typer.echo(f"otel-agent-eval {__version__}")
        raise typer.Exit


@app.command()
def run(config: Config = None) -> None:
    """Run the gateway.

    Without a configuration it listens on 127.0.0.1:4317 (gRPC) and :4318 (HTTP), and sends to where
    OTEL_EXPORTER_OTLP_ENDPOINT points, or shows the scores on the console.

    Example: `OTEL_EXPORTER_OTLP_ENDPOINT=http://tempo:4317 otel-agent-eval run`
    """
    from otel_agent_eval.commands.run import run

    run(config)


@app.command()
def validate(config: Config = None) -> None:
    """Check a configuration, and show what it would do.

    Everything that is wrong is named by file, line and key. The exit code is 0 if it is right, else 1.

    Example: `otel-agent-eval validate --config gateway.yaml`
    """
    from otel_agent_eval.commands.validate import validate

    validate(config)


@app.command()
def explain(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...", help="OTLP in .bin (protobuf) or .json: traces, and the logs that belong to them."
        ),
    ],
    config: Config = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print an object a line.")] = False,
) -> None:
    """Show what the gateway reads in recorded telemetry.

    Span by span: which convention was read from which keys, the question, the answer, the documents, and what would
    be scored, or why not. No model runs.

    Example: `otel-agent-eval explain traces.json logs.json`
    """
    from otel_agent_eval.commands.explain import explain

    explain(files, config, as_json=json)


@app.command()
def score(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE.jsonl", help="Rows {id, question, contexts, answer}; - reads standard input."),
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="OUT.jsonl", help="Where the scored rows go; - is standard output."),
    ] = Path("-"),
    metric: Annotated[
        list[str] | None, typer.Option("--metric", "-m", metavar="NAME", help="Evaluate only this; can be repeated.")
    ] = None,
    config: Config = None,
) -> None:
    """Score answers in a file, without telemetry.

    Each row comes back with all its own fields and an object for each metric. Rows stay in order and none is dropped:
    one that cannot be read gets an `error`, and the exit code is 1.

    Example: `head -100 answers.jsonl | otel-agent-eval score - --metric toxicity`
    """
    from otel_agent_eval.commands.score import score

    score(file, output, metric or [], config)


queue = typer.Typer(help="Look into the queue on disk, and send again what was parked.", no_args_is_help=True)
app.add_typer(queue, name="queue")


@queue.command("status")
def queue_status(config: Config = None) -> None:
    """Show what waits, for whom and how long already, and what cannot be read.

    Works beside a running gateway and without one. The exit code is 1 where something cannot be read.
    """
    from otel_agent_eval.commands.queue import status

    status(config)


@queue.command("dead")
def queue_dead(
    destination: Annotated[str | None, typer.Argument(metavar="[EXPORTER]", help="Only of this destination.")] = None,
    config: Config = None,
) -> None:
    """List the requests that a destination will never take as they are, with its reason."""
    from otel_agent_eval.commands.queue import dead

    dead(destination, config)


@queue.command("resend")
def queue_resend(
    destination: Annotated[str, typer.Argument(metavar="EXPORTER", help="Whose dead letters.")],
    to: Annotated[str | None, typer.Option("--to", metavar="EXPORTER", help="Send them to another.")] = None,
    config: Config = None,
) -> None:
    """Send everything that was parked for a destination again.

    A running gateway does so at once, else the next that is started.

    Example: `otel-agent-eval queue resend otlp/tempo --config gateway.yaml`
    """
    from otel_agent_eval.commands.queue import resend

    resend(destination, to, config)


@app.command()
def demo() -> None:
    """Replay recorded agent traces through a gateway on this machine, and show the answers with their scores."""
    from otel_agent_eval.commands.demo import demo

    demo()


alerts = typer.Typer(help="Write alert rules for Prometheus.", no_args_is_help=True, rich_markup_mode="markdown")
app.add_typer(alerts, name="alerts")


@alerts.command("render")
def alerts_render(
    config: Config = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where the rule files are, or go.")
    ] = Path(),
    service: Annotated[
        list[str] | None,
        typer.Option("--service", metavar="NAME", help="Only for this service of alerts.services; can be repeated."),
    ] = None,
    *,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit with 1 where a file differs.")] = False,
) -> None:
    """Write Prometheus rules for the thresholds, services and segments of a configuration.

    Example: `otel-agent-eval alerts render --config gateway.yaml --output /etc/prometheus/rules`
    """
    from otel_agent_eval.commands.alerts import render

    render(config, output, service or [], check=check)


findings = typer.Typer(help="Keep a log of what was found and done.", no_args_is_help=True)
app.add_typer(findings, name="findings")
Findings = Annotated[Path, typer.Option("--folder", metavar="FOLDER", help="Where the findings are.")]


@findings.command("add")
def findings_add(
    title: Annotated[str, typer.Argument(metavar="TITLE", help="What was found, in a sentence.")],
    alert: Annotated[str, typer.Option("--alert", metavar="NAME", help="The alert that showed it.")] = "",
    service: Annotated[str, typer.Option("--service", metavar="NAME", help="The service.")] = "",
    date: Annotated[str | None, typer.Option("--date", metavar="YYYY-MM-DD", help="The day; today (UTC).")] = None,
    folder: Findings = Path("findings"),
) -> None:
    """Begin a finding: a dated Markdown file with front matter, to write into.

    Example: `otel-agent-eval findings add "Prices are made up" --alert AgentEvalHighHallucinationRate --service shop`
    """
    from otel_agent_eval.commands.findings import run_add

    run_add(folder, title, alert, service, date)


@findings.command("list")
def findings_list(
    folder: Findings = Path("findings"),
    *,
    only_open: Annotated[bool, typer.Option("--open", help="Only those with `status: open`.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print an object a line.")] = False,
) -> None:
    """Show the findings, newest first.

    Example: `otel-agent-eval findings list --open`
    """
    from otel_agent_eval.commands.findings import run_list

    run_list(folder, only_open=only_open, as_json=json)


models = typer.Typer(help="Models that can stand in for the built-in ones.", no_args_is_help=True)
app.add_typer(models, name="models")

_Model = Annotated[
    str,
    typer.Argument(metavar="MODEL", help="owner/name[@revision][/file] on the Hugging Face hub, or a path: ./folder."),
]


@models.command("list")
def list_models() -> None:
    """Show the built-in models, those in the cache and well-known ones: what they are for, size and licence."""
    from otel_agent_eval.commands.models import list_models

    list_models()


@models.command()
def pull(model: _Model) -> None:
    """Download a model into the cache, and print its name with the commit for the configuration.

    Example: `otel-agent-eval models pull detoxify/multilingual`
    """
    from otel_agent_eval.commands.models import pull

    pull(model)


@models.command()
def export(
    model: _Model,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the ONNX file goes; must be empty.")],
    evaluator: Annotated[
        str, typer.Option("--evaluator", "-e", metavar="NAME", help="What it is for; by default the first that fits.")
    ] = "",
    label: Annotated[
        list[str] | None, typer.Option("--label", metavar="LABEL", help="A label that decides; can be repeated.")
    ] = None,
    *,
    int8: Annotated[bool, typer.Option("--int8", help="Store weights as integers: a quarter of the size.")] = False,
) -> None:
    """Write a model as ONNX, which needs no torch, and print its scores beside those in torch.

    The exit code is 1 where a score lies more than 0.001 (with --int8 0.05) from that in torch.

    Example: `otel-agent-eval models export detoxify/original ./toxicity --int8`
    """
    from otel_agent_eval.commands.export_model import export

    export(model, folder, evaluator, label or [], int8=int8)


def main() -> None:
    """Run the command line."""
    app()
