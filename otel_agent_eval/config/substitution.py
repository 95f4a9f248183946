"""`${env:NAME}` in configurations: values from the environment."""

import re
from collections.abc import Mapping

_REFERENCE = re.compile(r"\$\$|\$\{([^{}]*)\}|\$\{")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def substitute(text: str, environment: Mapping[str, str]) -> str:
    """Replace `${env:NAME}`, `${env:NAME:-default}` and `${NAME}`; `$$` is a dollar sign.

    What a variable holds is not looked at again. Raises ValueError for a variable that is not set and has no default.
    """

    def value(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        reference = match[1]
        if reference is None:
            raise ValueError("a ${ without its }; write $$ for a dollar sign")
        name, has_default, default = reference.removeprefix("env:").partition(":-")
        if not _NAME.fullmatch(name):
            raise ValueError(f"expected ${{env:NAME}} or ${{env:NAME:-default}}; got {'${' + reference + '}'!a}")
        if name in environment:
            return environment[name]
        if not has_default:
            raise ValueError(
                f"the environment variable {name} is not set; set it or give a default: ${{env:{name}:-value}}"
            )
        return default

    return _REFERENCE.sub(value, text)
