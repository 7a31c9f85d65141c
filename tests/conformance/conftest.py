"""The command line in an empty folder."""

from __future__ import annotations

import pytest

from qstack.cli import invoke


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Call a command and return its exit code, and what it has said."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        try:
            code = invoke(arguments)
        except SystemExit as error:
            code = error.code
        said = capsys.readouterr()
        return code, said.out + said.err

    return call
