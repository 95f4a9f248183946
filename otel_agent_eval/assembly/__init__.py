"""Assembly: which answers count, which documents belong to them, what is held and for how long."""
