"""Makes the kit importable under ``--import-mode=importlib``."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

if "plugin_kit" not in sys.modules:
    spec = importlib.util.spec_from_file_location("plugin_kit", Path(__file__).parent / "plugin_kit.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["plugin_kit"] = module
    spec.loader.exec_module(module)
