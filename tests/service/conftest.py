"""Every test of the service sees the evaluators of `plugin_evaluators` as if a package had brought them."""

import pytest
from live_gateway import plugin_folder


@pytest.fixture(autouse=True)
def _plugins(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(plugin_folder(tmp_path_factory.mktemp("site")))
