"""Readers, one for each span convention: a span and its logs to what was asked, answered and retrieved."""
