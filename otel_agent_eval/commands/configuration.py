"""Loading a configuration for a command: problems go to standard error, and end it."""

import sys
from pathlib import Path

from otel_agent_eval.config import ConfigError, Loaded, load


def loaded(path: Path | None) -> Loaded:
    """Return the configuration, its warnings shown; exit with 1 and every problem shown where it is wrong."""
    try:
        found = load(path)
    except ConfigError as error:
        sys.exit(str(error))
    for warning in found.warnings:
        sys.stderr.write(f"{warning.text(found.source)} (warning)\n")
    return found
