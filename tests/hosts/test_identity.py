"""Certificates that nobody would accept: said at home, before anything is started, with the key of the node file."""

from __future__ import annotations

import json

import pytest

from qstack.cli import invoke
from qstack.hosts.identity import trouble

pytest.importorskip("cryptography")
from cryptography.hazmat.primitives import serialization

from qstack.integration import certificates as making

NAMES = ("n0", "n1", "n2", "laboratory")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("identities")
    making.make_certificates(made / "good", NAMES)
    making.make_certificates(made / "foreign", NAMES, "another authority")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(making, "DAYS", 0)
        making.make_certificates(made / "old", NAMES)
    (made / "junk").write_text("junk")
    (made / "junk.der").write_bytes(bytes(range(256)))
    private = serialization.load_pem_private_key((made / "good/n0.key").read_bytes(), None)
    (made / "locked.key").write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    return made


CASES = {
    "missing": ({"certificate": "good/none.pem"}, "certificate", "'good/none.pem' cannot be read: no such file"),
    "missing key": ({"key": "good/none.key"}, "key", "'good/none.key' cannot be read: no such file"),
    "a folder": ({"authority": "good"}, "authority", "'good' cannot be read: is a directory"),
    "no certificate": ({"certificate": "junk"}, "certificate", "'junk' holds no certificate in PEM form"),
    "bytes": ({"certificate": "junk.der"}, "certificate", "'junk.der' holds no certificate in PEM form"),
    "no authority": ({"authority": "junk"}, "authority", "'junk' holds no certificate in PEM form"),
    "no key": ({"key": "junk"}, "key", "'junk' is not the private key of 'good/n0.pem'"),
    "key of another": ({"key": "good/n1.key"}, "key", "'good/n1.key' is not the private key of 'good/n0.pem'"),
    "locked key": ({"key": "locked.key"}, "key", "'locked.key' is not the private key of 'good/n0.pem'"),
    "another node": (
        {"certificate": "good/n1.pem", "key": "good/n1.key"},
        "certificate",
        "'good/n1.pem' is that of 'n1', not of 'n0'",
    ),
    "foreign": (
        {"certificate": "foreign/n0.pem", "key": "foreign/n0.key"},
        "certificate",
        "'foreign/n0.pem' is refused by all who trust 'good/ca.pem': its certificate is not accepted",
    ),
    "expired": (
        {"certificate": "old/n0.pem", "key": "old/n0.key", "authority": "old/ca.pem"},
        "certificate",
        "'old/n0.pem' is refused by all who trust 'old/ca.pem': its certificate is not accepted: certificate has expired",
    ),
}
GOOD = {"certificate": "good/n0.pem", "key": "good/n0.key", "authority": "good/ca.pem"}


@pytest.mark.requirement("QS-CL-471")
@pytest.mark.parametrize("case", CASES)
def test_a_node_file_that_nobody_would_accept(case, folder, capfd, monkeypatch):
    change, key, why = CASES[case]
    monkeypatch.chdir(folder)
    (folder / "scenario.yaml").write_text(
        "name: two\nnetwork: {chain: {segments: 2, length: 10 km}, hardware: {all: textbook}}\n"
        "flows: [{name: pairs, from: n0, to: n2, number: 3}]\nrun: {until: 5 s}\n"
    )
    addresses = dict.fromkeys(NAMES, "127.0.0.1:1")
    content = {"scenario": "scenario.yaml", "node": "n0", "addresses": addresses, **GOOD, **change}
    (folder / "node.yaml").write_text("\n".join(f"{k}: {json.dumps(v)}" for k, v in content.items()))
    line = 1 + list(content).index(key)
    assert invoke(["serve", "node.yaml"]) == 2
    assert f"node.yaml:{line} {key}  {why}" in capfd.readouterr().err


@pytest.mark.requirement("QS-CL-471")
@pytest.mark.parametrize("name", NAMES)
def test_one_that_all_accept(name, folder):
    good = folder / "good"
    assert trouble(good / f"{name}.pem", good / f"{name}.key", good / "ca.pem", name) is None
