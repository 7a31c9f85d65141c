"""Certificates, slow and greedy clients, and clients that are not what they say."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import time

import pytest

from qstack.core.errors import ConfigError
from qstack.integration.etsi014.client import Etsi014Error
from qstack.integration.kme.settings import read_settings
from qstack.integration.site import Site
from qstack.integration.tls import EXTRACTORS, client_context

STATUS = "/api/v1/keys/SAE_B/status"


async def connect(sites, *, sae="SAE_A", files=None, certificate=True, port=None):
    tls = (files or sites.tls)[sae]
    context = client_context(tls.certificate if certificate else None, tls.key, sites.tls[sae].authority)
    return await opened(sites, port or sites.sites["kme-1"].applications.port, ssl=context)


async def opened(sites, port, **options):
    reader, writer = await asyncio.open_connection("localhost", port, **options)
    sites.writers.append(writer)
    return reader, writer


async def talk(streams, text, wait=5):
    reader, writer = streams
    writer.write(text.encode() if isinstance(text, str) else text)
    async with asyncio.timeout(wait):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
        return int(head.split()[1]), json.loads(await reader.readexactly(length)), head


def get(path, headers=""):
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n"


def test_a_certificate_of_another_authority_is_refused(rig):
    async def scenario(sites):
        streams = await connect(sites, files=sites.foreign)
        with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
            await talk(streams, get(STATUS))

    rig(scenario)


def test_without_certificate_the_handshake_fails_or_401_as_set(rig):
    async def refused(sites):
        streams = await connect(sites, certificate=False)
        with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
            await talk(streams, get(STATUS))

    async def answered(sites):
        streams = await connect(sites, certificate=False)
        return [(await talk(streams, get(path)))[:2] for path in ("/health", STATUS)]

    rig(refused)
    health, status = rig(answered, client_certificate="optional")
    assert health == (200, {"status": "ok"})
    assert status == (401, {"message": "a client certificate that names an SAE is needed"})


def test_a_header_that_names_an_sae_is_not_believed_unless_a_proxy_was_announced(rig):
    async def scenario(sites):
        streams = await connect(sites, sae="SAE_D")
        return (await talk(streams, get(STATUS, "X-SAE: SAE_A\r\n")))[1]["master_SAE_ID"]

    assert rig(scenario) == "SAE_D"
    assert rig(scenario, proxy_header="X-SAE") == "SAE_A"


def test_a_header_that_comes_twice_is_not_the_proxy_s_alone(rig):
    async def scenario(sites):
        return await talk(await connect(sites), get(STATUS, "X-SAE: SAE_D\r\nx-sae: SAE_A\r\n"))

    status, data, _ = rig(scenario, proxy_header="X-SAE")
    assert (status, data) == (401, {"message": "a client certificate that names an SAE is needed"})


def test_a_client_of_the_other_site_is_unknown_here(rig):
    async def scenario(sites):
        async with sites.client("SAE_B", "kme-1") as client:
            with pytest.raises(Etsi014Error) as caught:
                await client.status("SAE_A")
        return caught.value.status

    assert rig(scenario) == 401


def test_an_application_gets_nothing_at_the_key_managers_interface(rig):
    async def scenario(sites):
        port = sites.sites["kme-1"].managers.port
        streams = await connect(sites, port=port)
        body = '{"keys": []}'
        text = f"POST /kme/v1/void HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        return (await talk(streams, text))[0]

    assert rig(scenario) == 401


def test_a_long_body_is_refused_before_it_is_read(rig):
    async def scenario(sites):
        streams = await connect(sites)
        head = "POST /api/v1/keys/SAE_B/enc_keys HTTP/1.1\r\nHost: x\r\n"
        announced = await talk(streams, head + "Content-Length: 999999999\r\n\r\n")
        streams = await connect(sites)
        chunk = b"400\r\n" + b" " * 1024 + b"\r\n"
        chunked = await talk(streams, (head + "Transfer-Encoding: chunked\r\n\r\n").encode() + chunk * 100)
        return announced, chunked

    for status, data, _ in rig(scenario):
        assert (status, data) == (400, {"message": "the body is longer than 65536 octets"})


def test_slow_clients_are_let_go(rig):
    async def scenario(sites):
        begun = time.monotonic()
        slow_body = await connect(sites)
        answer = await talk(
            slow_body, "POST /api/v1/keys/SAE_B/enc_keys HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"
        )
        slow_head = await connect(sites)
        slow_head[1].write(b"GET / HTTP/1.1\r\nHo")
        rest = await asyncio.wait_for(slow_head[0].read(), 5)
        plain = await opened(sites, sites.sites["kme-1"].applications.port)
        nothing = await asyncio.wait_for(plain[0].read(), 5)
        streams = await connect(sites)
        good = await talk(streams, get(STATUS))
        return answer, rest, nothing, good, time.monotonic() - begun

    limits = {"body_timeout_s": 0.3, "idle_timeout_s": 0.5, "handshake_timeout_s": 0.5}
    answer, rest, nothing, good, took = rig(scenario, limits=limits)
    assert answer[:2] == (400, {"message": "the body was not complete after 0.3 s"})
    assert (rest, nothing) == (b"", b"")
    assert good[0] == 200
    assert took < 5


@pytest.mark.requirement("QS-KY-465")
def test_a_client_that_does_not_read_its_answers_is_let_go(rig):
    async def scenario(sites):
        server = sites.sites["kme-1"].applications
        server._server.sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # that little is soon full
        reader, writer = await connect(sites)
        await talk((reader, writer), get(STATUS))
        for _ in range(300):
            if not server._web.connections:
                break
            if writer.transport.get_write_buffer_size() < 1 << 20:
                writer.write(get(STATUS).encode() * 200)  # and nobody reads: the answers stay
            await asyncio.sleep(0.05)
        held = len(server._web.connections)
        return held, (await talk(await connect(sites, sae="SAE_D"), get(STATUS)))[0]

    assert rig(scenario, limits={"idle_timeout_s": 0.5}) == (0, 200)


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("https://localhost/api/v1/keys/SAE_B/status", 404),
        ("*", 400),
        ("/api/v1/keys/SAE_B/status/", 404),
        ("//api/v1/keys/SAE_B/status", 404),
        ("/api/v1/keys/SAE_B/../SAE_B/status", 404),
        ("/api/v1/keys/SAE%5FB/status", 200),
        ("/api/v1/keys/%00/status", 400),
        ("/api/v1/keys/%ff/status", 404),
        ("/api/v1/keys/SAE_B%2Fstatus/status", 400),
    ],
)
def test_strange_targets_are_answered_exactly(rig, target, status):
    async def scenario(sites):
        return await talk(await connect(sites), get(target))

    found, data, _ = rig(scenario)
    assert found == status, data
    assert "%" not in json.dumps(data)


def test_a_handshake_that_hangs_stalls_nobody(rig):
    async def scenario(sites):
        port = sites.sites["kme-1"].applications.port
        for _ in range(20):
            await opened(sites, port)
        begun = time.monotonic()
        streams = await connect(sites)
        status = (await talk(streams, get(STATUS)))[0]
        took = time.monotonic() - begun
        return status, took

    status, took = rig(scenario)
    assert status == 200
    assert took < 1


def test_too_many_connections(rig):
    async def scenario(sites):
        streams = [await connect(sites) for _ in range(3)]
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError, ssl.SSLError)):
            await talk(await connect(sites), get(STATUS))
        streams[0][1].close()
        await streams[0][1].wait_closed()
        await asyncio.sleep(0.1)
        return (await talk(await connect(sites), get(STATUS)))[0]

    assert rig(scenario, limits={"connections": 3}) == 200


@pytest.mark.parametrize(
    "junk",
    [b"\x00\x01\x02 junk\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\nHost: " + b"x" * 9000 + b"\r\n\r\n"],
)
def test_what_is_not_http_is_answered_in_json_and_not_logged(rig, junk, capsys, caplog):
    async def scenario(sites):
        return await talk(await connect(sites), junk)

    status, data, _ = rig(scenario)
    assert (status, data) == (400, {"message": "not an HTTP request that this server reads"})
    assert "junk" not in capsys.readouterr().out + caplog.text


def test_answers_are_not_to_be_stored_and_connections_live_on(rig):
    async def scenario(sites):
        streams = await connect(sites)
        return [await talk(streams, get(path)) for path in (STATUS, "/nowhere", STATUS)]

    answers = rig(scenario)
    assert [status for status, *_ in answers] == [200, 404, 200]
    assert all("cache-control: no-store" in head.lower() for *_, head in answers)


@pytest.mark.parametrize(("rule", "expected"), [("cn", "SAE_A"), ("serial", "0A"), ("san", "urn:sae:1")])
def test_where_a_certificate_names_its_holder(rule, expected):
    certificate = {
        "subject": ((("organizationName", "x"),), (("commonName", "SAE_A"),)),
        "serialNumber": "0A",
        "subjectAltName": (("DNS", "host"), ("URI", "urn:sae:1")),
    }
    assert EXTRACTORS[rule](certificate) == expected
    assert EXTRACTORS[rule]({}) is None


def settings(tls, **changes):
    data = {"kme_id": "kme-1", "store": ":memory:", "tls": tls, "saes": {"A": "kme-1"}, **changes}
    return read_settings(data, "site.yaml")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"peers": {"kme-2": "http://x"}}, "must start with https://"),
        ({"saes": {"A": "kme-9"}, "peers": {"kme-2": "https://x"}}, "Did you mean 'kme-"),
        ({"prot": 1}, "prot 1: Extra inputs are not permitted"),
        ({"keys": {"key_size": 255}}, "keys.key_size 255: Input should be a multiple of 8"),
        ({"keys": {"key_size": 8192}}, "key_size 8192 must lie between min_key_size 64 and max_key_size 4096"),
        ({"listen": {"port": 70000}}, "listen.port 70000"),
        ({"peers": {"kme-1": "https://x"}}, "is this key manager itself"),
    ],
)
def test_settings_that_cannot_be(certificates, changes, text):
    with pytest.raises(ConfigError, match=r"site\.yaml") as caught:
        settings(certificates[0]["kme-1"].model_dump(), **changes)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"identity": "eye"}, "identity 'eye' is unknown. Allowed: cn, serial, san."),
        ({"proxy_header": "X-SAE", "listen": {"host": "0.0.0.0"}}, "anybody could send that header"),
    ],
)
def test_sites_that_cannot_be(certificates, changes, text):
    with pytest.raises(ConfigError) as caught:
        Site(settings(certificates[0]["kme-1"].model_dump(), **changes), None)
    assert text in str(caught.value)


def test_a_certificate_that_is_missing_is_named(certificates, tmp_path):
    tls = {**certificates[0]["kme-1"].model_dump(), "certificate": tmp_path / "none.pem"}
    with pytest.raises(ConfigError, match=r"none\.pem.*No such file"):
        Site(settings(tls), None)


def test_a_port_that_is_taken_is_named(rig):
    async def scenario(sites):
        site = sites.sites["kme-1"]
        taken = site.settings.model_copy(
            update={"listen": site.settings.listen.model_copy(update={"port": site.managers.port})}
        )
        again = Site(taken.model_copy(update={"peer_listen": taken.peer_listen.model_copy(update={"port": 0})}), None)
        with pytest.raises(ConfigError, match=r"cannot listen on 127\.0\.0\.1 port"):
            async with again:
                pass

    rig(scenario)
