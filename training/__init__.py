"""How the built-in weights were made; see training/README.md."""
