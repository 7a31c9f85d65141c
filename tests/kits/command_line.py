"""The command line as a user meets it, in this process."""

from __future__ import annotations

from qstack.cli import invoke


def said(capsys, *arguments):
    """Call a command; return its exit code, and what it has said on standard output and on standard error."""
    try:
        code = invoke([str(argument) for argument in arguments])
    except SystemExit as error:
        code = error.code
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return code, out, err
