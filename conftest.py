"""Every test draws the same examples every time, as everything here does.

``HYPOTHESIS_PROFILE=explore`` draws others, to look for what the fixed ones miss.
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("fixed", derandomize=True)
settings.register_profile("explore", derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))
