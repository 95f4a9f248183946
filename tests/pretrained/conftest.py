"""Tests of models in torch: collected only where torch is installed; test_in_torch.py beside them runs them there."""

import logging
import os
from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("torch") else ["test_*.py"]
os.environ["HF_HUB_OFFLINE"] = "1"  # read when huggingface_hub is imported
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
logging.getLogger("sentence_transformers").setLevel(logging.ERROR)
