"""The command line in an empty folder."""

from __future__ import annotations

import pytest
from command_line import said


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Call a command and return its exit code, and what it has said."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        code, out, err = said(capsys, *arguments)
        return code, out + err

    return call
