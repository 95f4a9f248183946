"""Tests of models in torch: collected only where torch is installed; tests/backends/test_torch.py runs them there."""

import logging
import os
from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("torch") else ["test_*.py"]
if not collect_ignore_glob:  # read when the libraries are imported
    os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_PROGRESS_BARS="1", TRANSFORMERS_VERBOSITY="error")
    logging.getLogger("sentence_transformers").setLevel(logging.ERROR)
