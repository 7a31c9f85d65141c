"""Unmodified OpenSSL, stunnel and GnuTLS on delivered keys: the right key passes, any other one fails closed."""

from __future__ import annotations

import secrets
import shutil
import signal
import time

import pytest

from qstack.core.errors import ConfigError
from qstack.integration.consumers.psk import (
    Psk,
    gnutls_client_with_key_in_arguments,
    gnutls_server,
    openssl_client,
    openssl_server,
    openssl_session,
    psk_file,
    stunnel_config,
)
from qstack.integration.consumers.rotation import KeyRing
from qstack.integration.files import wipe_file, write_private
from qstack.services.secret import Secret

SHA256 = "TLS_CHACHA20_POLY1305_SHA256"


def needs(program):
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


def new_psk(name="b6e1c8a0-5a8e-8d62-9a2f-0b7c2d7f4e11"):
    return Psk(name, Secret(secrets.token_bytes(32)))


def changed(psk):
    octets = psk.key.reveal()
    return Psk(psk.identity, Secret(octets[:-1] + bytes([octets[-1] ^ 1])))


@pytest.fixture
def keep(tmp_path):
    def write(name, data):
        path = tmp_path / name
        write_private(path, data)
        return path

    return write


def openssl_on_openssl(programs, keep, server_psk, client_psk, suite):
    port = programs.port()
    server = openssl_server(port, keep("server.pem", openssl_session(server_psk, suite)), server_psk.identity, suite)
    process = programs.start(server, port)
    client = openssl_client(port, keep("client.pem", openssl_session(client_psk, suite)), client_psk.identity, suite)
    return programs.talk(client, "to the other end", "dne rehto"), programs.said(process)


@needs("openssl")
@pytest.mark.parametrize("suite", ["TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256", SHA256])
def test_openssl_speaks_tls_1_3_on_the_key(programs, keep, suite):
    psk = new_psk()
    said, server_said = openssl_on_openssl(programs, keep, psk, psk, suite)
    assert "Protocol version: TLSv1.3" in said
    assert f"Ciphersuite: {suite}" in said
    assert "dne rehto eht ot" in said
    for text in (psk.key.reveal().hex(), psk.key.reveal().hex().upper()):
        assert text not in said + server_said


@needs("openssl")
@pytest.mark.parametrize("case", ["key", "identity"])
def test_openssl_refuses_another_key_and_another_name(programs, keep, case):
    psk = new_psk()
    other = changed(psk) if case == "key" else Psk("somebody-else", psk.key)
    said, server_said = openssl_on_openssl(programs, keep, psk, other, "TLS_AES_256_GCM_SHA384")
    assert "alert" in said
    assert "Protocol version" not in said
    assert "dne rehto" not in said
    assert ("binder does not verify" in server_said) == (case == "key")


@needs("gnutls-serv")
@needs("openssl")
def test_gnutls_serves_openssl(programs, keep):
    psk = new_psk()
    port = programs.port()
    programs.start(gnutls_server(port, keep("psk.txt", psk_file([psk]))), port)
    good = openssl_client(port, keep("good.pem", openssl_session(psk, SHA256)), psk.identity, SHA256)
    bad = openssl_client(port, keep("bad.pem", openssl_session(changed(psk), SHA256)), psk.identity, SHA256)
    assert "Protocol version: TLSv1.3" in programs.talk(good, "hello there", "hello there")
    said = programs.talk(bad, "hello there", "hello there", wait=3)
    assert "Protocol version" not in said
    assert "alert" in said


@needs("gnutls-cli")
@needs("openssl")
def test_openssl_serves_gnutls(programs, keep):
    psk = new_psk()
    port = programs.port()
    programs.start(openssl_server(port, keep("s.pem", openssl_session(psk, SHA256)), psk.identity, SHA256), port)
    said = programs.talk(gnutls_client_with_key_in_arguments(port, psk), "hello there", "ereht olleh")
    assert f"PSK authentication. Connected as '{psk.identity}'" in said or "PSK authentication" in said
    assert "ereht olleh" in said
    refused = programs.talk(gnutls_client_with_key_in_arguments(port, changed(psk)), "hello there", "ereht olleh")
    assert "ereht olleh" not in refused


class Tunnel:
    """Two stunnels and the files their keys are in."""

    def __init__(self, programs, keep, echo):
        self.programs = programs
        self.keep = keep
        self.middle = programs.port()
        self.accept = programs.port()
        self.echo = echo
        self.running = {}

    def start(self, server_keys, client_keys, identity=None):
        for end, keys, ports in (
            ("server", server_keys, (self.middle, self.echo)),
            ("client", client_keys, (self.accept, self.middle)),
        ):
            secrets_file = self.keep(f"{end}.psk", psk_file(keys))
            text = stunnel_config(
                *ports, secrets_file, client=end == "client", identity=identity if end == "client" else None
            )
            config = self.keep(f"{end}.conf", text.encode())
            self.running[end] = self.programs.start(["stunnel", str(config)], ports[0])

    def load(self, end, keys):
        self.keep(f"{end}.psk", psk_file(keys))
        self.running[end].send_signal(signal.SIGHUP)
        time.sleep(0.4)

    def passes(self):
        return self.programs.ask(self.accept, "through the tunnel") == "lennut eht hguorht\n"


@needs("stunnel")
def test_stunnel_passes_on_the_key_and_rotates_with_overlap(programs, keep, echo):
    old, new = new_psk("key-1"), new_psk("key-2")
    tunnel = Tunnel(programs, keep, echo)
    tunnel.start([old], [old])
    assert tunnel.passes()
    ring = KeyRing(overlap_s=10, lifetime_s=100)
    ring.add(old, 0)
    ring.add(new, 50)
    tunnel.load("server", ring.accepted(51))  # the server has both: the client is not cut off
    assert tunnel.passes()
    tunnel.load("client", [new])
    assert tunnel.passes()
    tunnel.load("server", ring.accepted(61))  # the overlap is over: the old key is worth nothing
    assert tunnel.passes()
    assert "TLSv1.3" in programs.said(tunnel.running["client"])


@needs("stunnel")
@pytest.mark.parametrize("case", ["wrong key", "rotated on one side"])
def test_stunnel_fails_closed(programs, keep, echo, case):
    psk = new_psk("key-1")
    tunnel = Tunnel(programs, keep, echo)
    if case == "wrong key":
        tunnel.start([psk], [changed(psk)])
        assert not tunnel.passes()
        for _ in range(40):  # the log may be written a moment after the connection was closed
            if "binder does not verify" in programs.said(tunnel.running["server"]):
                break
            time.sleep(0.05)
        assert "binder does not verify" in programs.said(tunnel.running["server"])
    else:
        tunnel.start([psk], [psk])
        assert tunnel.passes()
        tunnel.load("server", [new_psk("key-2")])
        assert not tunnel.passes()
        tunnel.load("server", [psk])
        assert tunnel.passes()


@pytest.mark.parametrize("name", ["", "a:b", "a b", "ü", "x" * 129, "a\n"])
def test_identities_that_a_program_would_misread(name):
    with pytest.raises(ConfigError, match="PSK identity"):
        Psk(name, Secret(bytes(32)))


def test_short_keys_and_unknown_suites():
    with pytest.raises(ConfigError, match="120 bits; at least 128 are needed"):
        Psk("a", Secret(bytes(15)))
    with pytest.raises(ConfigError, match="TLS_NULL"):
        openssl_session(new_psk(), "TLS_NULL")


def test_files_are_private_and_wiped(tmp_path):
    path = tmp_path / "psk.txt"
    path.write_text("older")
    path.chmod(0o644)
    write_private(path, b"secret")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_bytes() == b"secret"
    wipe_file(path)
    wipe_file(path)
    assert not path.exists()


def test_a_psk_does_not_show_its_key():
    psk = Psk("a", Secret(b"0123456789abcdef"))
    assert "0123456789abcdef" not in repr(psk)
