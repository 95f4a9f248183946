"""Wires the rooms together: starts them, lets telemetry through, drains and stops."""
