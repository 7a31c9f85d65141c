"""Python loads this at its start: children of a changed process are changed too."""

from __future__ import annotations

import os

if "QSTACK_CHANGED" in os.environ:
    import changed_file

    changed_file.install()
