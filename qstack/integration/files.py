"""Files that hold secrets."""

from __future__ import annotations

import os
from pathlib import Path


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only its owner could ever read: the mode is set before the first octet is there.

    The file is replaced as a whole, so that a reader sees the old one or the new one.
    """
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
    draft.replace(path)


def wipe_file(path: Path) -> None:
    """Overwrite a file with zeros and remove it; what a file system keeps elsewhere stays its own affair."""
    if path.exists():
        with path.open("r+b") as file:
            file.write(bytes(path.stat().st_size))
            file.flush()
            os.fsync(file.fileno())
        path.unlink()
