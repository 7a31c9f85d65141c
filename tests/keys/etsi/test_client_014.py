"""The client is strict with what it gets, and asks in the form it was told."""

from __future__ import annotations

import asyncio
import base64
import json

import pytest

pytest.importorskip("aiohttp")

from aiohttp import web

from qstack.core.errors import ConfigError
from qstack.integration.etsi014 import client as module
from qstack.integration.etsi014.client import Etsi014Client, Etsi014Error
from qstack.integration.tls import client_context, server_context

NAME = "b6e1c8a0-5a8e-4d62-9a2f-0b7c2d7f4e11"
KEY = base64.b64encode(bytes(range(32))).decode()
STATUS = {
    "source_KME_ID": "1", "target_KME_ID": "2", "master_SAE_ID": "A", "slave_SAE_ID": "B", "key_size": 352,
    "stored_key_count": 25000, "max_key_count": 100000, "max_key_per_request": 128, "max_key_size": 1024,
    "min_key_size": 64, "max_SAE_ID_count": 0,
}  # fmt: skip


@pytest.fixture
def ask(certificates):
    """Let a client ask a server that gives one answer; return the result, or the error, and what the server saw."""

    def run(status, body, action, **options):
        seen = []

        async def answer(request):
            seen.append((request.method, request.raw_path, await request.text()))
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
            return web.Response(status=status, body=raw)

        async def main():
            tls = certificates[0]["kme-1"]
            runner = web.ServerRunner(web.Server(answer))
            await runner.setup()
            site = web.TCPSite(
                runner,
                "127.0.0.1",
                0,
                ssl_context=server_context(tls.certificate, tls.key, tls.authority, client="optional"),
            )
            await site.start()
            port = runner.addresses[0][1]
            try:
                async with Etsi014Client(
                    f"https://localhost:{port}", client_context(None, None, tls.authority), **options
                ) as client:
                    return await action(client)
            except Etsi014Error as error:
                return error
            finally:
                await runner.cleanup()

        return asyncio.run(asyncio.wait_for(main(), 10)), seen

    return run


def container(**changes):
    return {"keys": [{"key_ID": NAME, "key": KEY, "extra": 1, **changes}], "more": None}


@pytest.mark.parametrize(
    ("options", "number", "members", "method"),
    [
        ({}, 1, {}, "GET"),
        ({"post": "always"}, 1, {}, "POST"),
        ({}, 1, {"additional_slave_SAE_IDs": ["C"]}, "POST"),
        ({}, 2, {}, "POST"),
    ],
)
def test_the_form_of_get_key(ask, options, number, members, method):
    body = {"keys": [{"key_ID": NAME[:-1] + str(n), "key": KEY} for n in range(number)]}
    keys, seen = ask(200, body, lambda client: client.enc_keys("S/B", number, 256, **members), **options)
    assert [len(key.octets) for key in keys] == [32] * number
    assert seen[0][0] == method
    assert seen[0][1].startswith("/api/v1/keys/S%2FB/enc_keys")
    if method == "GET":
        assert seen[0][1].endswith("?number=1&size=256")
    else:
        assert json.loads(seen[0][2]) == {"number": number, "size": 256, **members}


@pytest.mark.parametrize(
    ("options", "names", "method"), [({}, [NAME], "GET"), ({"post": "always"}, [NAME.upper()], "POST")]
)
def test_the_form_of_get_key_with_key_ids(ask, options, names, method):
    keys, seen = ask(200, container(), lambda client: client.dec_keys("A", names), **options)
    assert keys[0].key == NAME
    assert seen[0][0] == method


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"not json", "not a JSON object"),
        ([], "not a JSON object"),
        ({}, "no keys"),
        ({"keys": []}, "no keys"),
        ({"Keys": [1]}, "no keys"),
        ({"keys": [1]}, "lacks a UUID"),
        (container(key_ID="17"), "lacks a UUID"),
        (container(key=7), "lacks a UUID or a base64 text"),
        (container(key=KEY.rstrip("=")), "is not base64"),
        (container(key=KEY[:-4] + "-_8="), "is not base64"),
        (container(key=base64.b64encode(bytes(16)).decode()), "other keys than asked for"),
    ],
)
def test_containers_that_are_none(ask, body, text):
    error, _ = ask(200, body, lambda client: client.enc_keys("B", 1, 256))
    assert isinstance(error, Etsi014Error)
    assert text in str(error)
    assert KEY not in str(error)


def test_a_key_of_another_name_is_refused(ask):
    other = NAME.replace("b6", "c7")
    error, _ = ask(200, container(), lambda client: client.dec_keys("A", [other]))
    assert "other keys than asked for" in str(error)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, {"message": "no", "details": [{"a": 1}]}, ("400: no", [{"a": 1}])),
        (401, b"", ("401: no error object", ())),
        (503, {"message": 7}, ("503: 7", ())),
        (302, {"message": "elsewhere"}, ("302: elsewhere", ())),
    ],
)
def test_refusals_are_told_as_they_came(ask, status, body, expected):
    error, seen = ask(status, body, lambda client: client.enc_keys("B"))
    assert (str(error), error.details) == expected
    assert error.status == status
    assert len(seen) == 1  # never asked twice


def test_the_status_of_the_standard_s_example_is_read(ask):
    data, _ = ask(200, {**STATUS, "status_extension": {}}, lambda client: client.status("B"))
    assert data["key_size"] == 352


@pytest.mark.parametrize(
    "change", [{"key_size": "352"}, {"key_size": 352.0}, {"source_KME_ID": None}, {"max_key_count": -1}]
)
def test_a_status_that_is_none(ask, change):
    error, _ = ask(200, {**STATUS, **change}, lambda client: client.status("B"))
    assert next(iter(change)) in str(error)


def test_an_answer_without_end_is_cut(ask, monkeypatch):
    monkeypatch.setattr(module, "LONGEST_ANSWER", 100)
    error, _ = ask(200, b" " * 1000, lambda client: client.enc_keys("B"))
    assert "too long" in str(error)


def test_a_server_that_is_not_there(certificates):
    async def main():
        context = client_context(None, None, certificates[0]["kme-1"].authority)
        async with Etsi014Client("https://localhost:9", context) as client:
            await client.status("B")

    with pytest.raises(Etsi014Error, match="does not answer"):
        asyncio.run(main())


def test_only_https(certificates):
    context = client_context(None, None, certificates[0]["kme-1"].authority)
    with pytest.raises(ConfigError, match="must start with https://"):
        Etsi014Client("http://localhost", context)
