"""Peers that are no node, or not there: a verdict in words in time, and the right exit code."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import sys
import threading
import time
from contextlib import suppress

import pytest

pytest.importorskip("cryptography")
from processes import ROOT, free_addresses

from qstack.cli import invoke as called
from qstack.conformance import peer_talk
from qstack.integration.certificates import make_certificates

NODES = ("n0", "n1", "n2")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Return a folder with a file for each node of a chain, and where they listen."""
    folder = tmp_path_factory.mktemp("files")
    make_certificates(folder / "certificates", NODES)
    (folder / "three-nodes.yaml").write_text((ROOT / "examples/sockets/three-nodes.yaml").read_text())
    addresses = free_addresses()
    for name in NODES:
        own = {key: f"certificates/{name}.{end}" for key, end in (("certificate", "pem"), ("key", "key"))}
        rest = {"scenario": "three-nodes.yaml", "node": name, "addresses": addresses, "driver": "dark"}
        (folder / f"{name}.yaml").write_text(json.dumps({**rest, **own, "authority": "certificates/ca.pem"}))
    return folder, addresses


def invoke(*arguments):
    try:
        return called(["conform", *map(str, arguments)])
    except SystemExit as error:
        return error.code


class Impostor:
    """Listens, and does one thing to whoever calls."""

    def __init__(self, address, does):
        host, _, port = address.rpartition(":")
        self.listening = socket.create_server((host, int(port)))
        self.does, self.held = does, []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with suppress(OSError):
            while True:
                taken, _ = self.listening.accept()
                self.held.append(taken)
                with suppress(OSError):
                    self.does(self, taken)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        for one in self.held:
            one.close()


def secured(folder, then):
    """Return what shakes hands and goes on."""

    def does(impostor, taken):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "certificates/n1.pem", folder / "certificates/n1.key")
        taken.settimeout(1.0)
        stream = context.wrap_socket(taken, server_side=True)
        impostor.held.append(stream)
        then(stream)

    return does


IMPOSTORS = {
    "hangs": (lambda folder: lambda impostor, taken: None, "does not answer the call"),
    "closes": (lambda folder: lambda impostor, taken: taken.close(), "fails: "),
    "says nothing": (lambda folder: secured(folder, lambda stream: None), "does not answer the introduction"),
    "ends": (lambda folder: secured(folder, lambda stream: stream.unwrap()), "<< the connection ends"),
    "speaks HTTP": (
        lambda folder: secured(folder, lambda stream: stream.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")),
        "bytes that are no message",
    ),
}


@pytest.mark.requirement("QS-CF-330")
@pytest.mark.parametrize("name", IMPOSTORS)
def test_a_peer_that_is_no_node_gets_a_verdict_that_says_so(name, files, capsys, monkeypatch):
    monkeypatch.setattr(peer_talk, "RETRY", 0.02)
    folder, addresses = files
    made, words = IMPOSTORS[name]
    begun = time.monotonic()
    with Impostor(addresses["n1"], made(folder)):
        code = invoke("--connect", addresses["n1"], "--as", folder / "n0.yaml", "-k", "QS-CL-330", "--timeout", 4)
    out = capsys.readouterr().out
    assert (code, out.splitlines()[-1]) == (1, "0 passed, 1 failed")
    assert words in out
    assert time.monotonic() - begun < 4 + 4


@pytest.mark.requirement("QS-CF-013")
def test_a_peer_that_is_not_there_is_no_subject(files, capsys):
    folder, addresses = files
    here = folder / "n0.yaml"
    for arguments, words in {
        ("--connect", addresses["n1"], "--as", here): "cannot be reached: nobody listens there",
        ("--connect", addresses["n2"], "--as", here): "is no neighbour of n0",
        ("--connect", "n1", "--as", here): "an address is written host:port",
        ("--connect", addresses["n1"]): "--connect needs --as NODE.yaml",
        ("--connect", addresses["n1"], "--as", here, "--profile", "link"): "--profile node, not link",
        ("--connect", addresses["n1"], "--as", here, "--all"): "whom?",
        ("--connect", addresses["n1"], "--as", folder / "nobody.yaml"): "cannot be read",
    }.items():
        assert invoke(*arguments) == 2, arguments
        assert words in capsys.readouterr().err


def test_the_judge_needs_its_place_and_a_channel_that_keeps_what_it_is_given(files, tmp_path, capsys):
    folder, addresses = files
    host, _, port = addresses["n0"].rpartition(":")
    with socket.create_server((host, int(port))):
        assert invoke("--connect", addresses["n1"], "--as", folder / "n0.yaml") == 2
    assert "another process listens there already" in capsys.readouterr().err
    data = json.loads((folder / "n0.yaml").read_text())
    data["scenario"] = str(ROOT / "examples/sockets/lossy.yaml")
    lossy = folder / "lossy.yaml"
    lossy.write_text(json.dumps(data))
    assert invoke("--connect", addresses["n1"], "--as", lossy) == 2
    assert "orders faults, or a channel that loses" in capsys.readouterr().err


@pytest.mark.slow
def test_a_served_node_conforms(files, capsys):
    """As docs/conformance.md shows it."""
    folder, addresses = files
    command = [sys.executable, "-c", "from qstack.cli import main; main()", "serve", str(folder / "n1.yaml")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as node:
        assert "listening" in node.stdout.readline()
        code = invoke("--connect", addresses["n1"], "--as", folder / "n0.yaml", "--profile", "node")
        node.terminate()
        node.communicate()
    assert (code, capsys.readouterr().out.splitlines()[-1]) == (0, "18 passed, 0 failed, 3 unsupported")
    assert node.returncode == 0
