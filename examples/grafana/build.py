"""Writes the dashboard and Grafana's own alert rules: `python examples/grafana/build.py [--check]`.

It needs grafana-foundation-sdk (`pip install '.[dev]'`).
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))  # the folder is no package

import dashboard as answers  # noqa: E402 (after the path is known)
import tempo_alerts  # noqa: E402 (after the path is known)
from grafana_foundation_sdk.cog.encoder import JSONEncoder  # noqa: E402 (beside its users)

from otel_agent_eval.config.alerts import Alerts  # noqa: E402 (beside its users)

DASHBOARD = HERE / "dashboards" / "agent-eval.json"
ALERTS = HERE / "provisioning" / "alerting" / "tempo-alerts.yaml"
_NOTE = """\
# Grafana-managed alert rules on Tempo's TraceQL metrics, for those without Prometheus. Written by
# `python examples/grafana/build.py`. Checked: the shape by Grafana's published types, the queries by the grammar of
# Grafana's TraceQL editor, the conditions by computing them. Not run: Grafana and Tempo could not be run where this was
# tested. Grafana needs the feature toggle tempoAlerting.
"""


def files() -> dict[Path, str]:
    """Return what is written, by path."""
    encoded = plain(json.loads(JSONEncoder(sort_keys=True).encode(answers.build())))
    rules = tempo_alerts.document(Alerts())
    return {
        DASHBOARD: json.dumps(encoded, indent=2, sort_keys=True) + "\n",
        ALERTS: _NOTE + yaml.safe_dump(rules, sort_keys=False, width=1000),
    }


def plain(document: dict[str, Any]) -> dict[str, Any]:
    """Return the dashboard, its panels numbered, without what the SDK adds to Grafana's published types."""
    document.pop("style", None)
    for number, panel in enumerate(document["panels"], 1):
        panel["id"] = number
        defaults = panel.get("fieldConfig", {}).get("defaults", {})
        for key in [key for key, value in defaults.items() if value is None]:
            del defaults[key]
        for key in [key for key, value in panel.items() if value is None]:
            del panel[key]
    for variable in document["templating"]["list"]:
        for key in [key for key in variable if key == "id" or key.startswith("auto")]:  # auto belongs to intervals
            del variable[key]
    return document


def main() -> None:
    """Write the files, or say which are not up to date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    for path, text in files().items():
        if check and (not path.exists() or path.read_text("utf-8") != text):
            sys.exit(f"{path.name} is not up to date: run python examples/grafana/build.py")
        if not check:
            path.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
