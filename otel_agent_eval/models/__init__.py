"""Weights and runtimes, behind a boundary that can be a thread or a process."""
