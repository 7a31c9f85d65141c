"""Every malformed or foreign request has its exact answer, in JSON, and costs no key."""

from __future__ import annotations

import asyncio
import json
import uuid

import pytest

from qstack.integration.etsi014 import messages
from qstack.integration.etsi014.messages import ProblemError, read_key_ids, read_key_request
from qstack.integration.etsi014.service import DeliveryService, Request
from qstack.integration.kme.settings import Keys

NOWHERE = str(uuid.uuid4())
ENC = "/api/v1/keys/SAE_B/enc_keys"
DEC = "/api/v1/keys/SAE_A/dec_keys"
JSON_TEXT = "the body is not a JSON object in UTF-8 with distinct member names"


def ids(*names):
    return {"key_IDs": [{"key_ID": name} for name in names]}


# method, target, body, caller, status, message
REQUESTS = [
    ("GET", "/health", None, None, 200, None),
    ("POST", "/health", None, None, 405, "allowed here: GET"),
    ("GET", "/", None, "SAE_A", 404, "no such path; this server has /api/v1/keys/{SAE_ID}/status, enc_keys and dec_keys"),
    ("GET", "/api/v1/keys//status", None, "SAE_A", 404, None),
    ("GET", "/api/v2/keys/SAE_B/status", None, "SAE_A", 404, None),
    ("GET", "/api/v1/keys/SAE_B/status/", None, "SAE_A", 404, None),
    ("GET", "/api/v1/keys/SAE_B/Status", None, "SAE_A", 404, None),
    ("GET", "/api/v1/keys/%FF/status", None, "SAE_A", 404, "the SAE ID in the path is not UTF-8"),
    ("POST", "/api/v1/keys/SAE_B/status", {}, "SAE_A", 405, "allowed here: GET"),
    ("DELETE", ENC, None, "SAE_A", 405, "allowed here: GET, POST"),
    ("GET", ENC, None, None, 401, "a client certificate that names an SAE is needed"),
    ("GET", ENC, None, "stranger", 401, "the SAE of the client certificate is not served by this KME"),
    ("GET", ENC, None, "SAE_C", 401, "the SAE of the client certificate is not served by this KME"),
    ("GET", "/api/v1/keys/SAE_Z/enc_keys", None, "SAE_A", 400, "the SAE in the path is not known to this KME"),
    ("GET", "/api/v1/keys/SAE_A/enc_keys", None, "SAE_A", 400, "the SAE in the path is the caller itself"),
    ("GET", "/api/v1/keys/SAE_D/status", None, "SAE_A", 400, "the SAE in the path is served by this KME too; keys join two KMEs"),
    ("GET", "/api/v1/keys/%53AE_B/status", None, "SAE_A", 200, None),
    ("POST", ENC, b"{", "SAE_A", 400, JSON_TEXT),
    ("POST", ENC, b"\xff", "SAE_A", 400, JSON_TEXT),
    ("POST", ENC, b'{"size": 256, "size": 128}', "SAE_A", 400, JSON_TEXT),
    ("POST", ENC, b'{"size": NaN}', "SAE_A", 400, JSON_TEXT),
    ("POST", ENC, b"[" * 60_000, "SAE_A", 400, JSON_TEXT),
    ("POST", ENC, b"[]", "SAE_A", 400, "the body must be a JSON object"),
    ("POST", ENC, {"number": "1"}, "SAE_A", 400, "number must be an integer"),
    ("POST", ENC, {"number": True}, "SAE_A", 400, "number must be an integer"),
    ("POST", ENC, {"size": 256.0}, "SAE_A", 400, "size must be an integer"),
    ("POST", ENC, {"number": 0}, "SAE_A", 400, "number is 0; allowed are 1 to max_key_per_request 128"),
    ("POST", ENC, {"number": 129}, "SAE_A", 400, "number is 129; allowed are 1 to max_key_per_request 128"),
    ("POST", ENC, {"number": -1}, "SAE_A", 400, "number is -1; allowed are 1 to max_key_per_request 128"),
    ("POST", ENC, {"size": 32}, "SAE_A", 400, "size is in bits; 32 is below min_key_size 64; did you mean 256?"),
    ("GET", ENC + "?size=32", None, "SAE_A", 400, "size is in bits; 32 is below min_key_size 64; did you mean 256?"),
    ("GET", ENC + "?number=2&size=16", None, "SAE_A", 400, "size is in bits; 16 is below min_key_size 64; did you mean 128?"),
    ("POST", ENC, {"size": 48, "number": 2}, "SAE_A", 400, "size is in bits; 48 is below min_key_size 64; did you mean 384?"),
    ("POST", ENC, {"size": 1}, "SAE_A", 400, "size is in bits; 1 is below min_key_size 64"),
    ("POST", ENC, {"size": 0}, "SAE_A", 400, "size is in bits; 0 is below min_key_size 64"),
    ("POST", ENC, {"size": 4104}, "SAE_A", 400, "size is in bits; 4104 is above max_key_size 4096"),
    ("POST", ENC, {"size": 255}, "SAE_A", 400, "size shall be a multiple of 8"),
    ("GET", ENC + "?size=255", None, "SAE_A", 400, "size shall be a multiple of 8"),
    ("GET", ENC + "?size=0x100", None, "SAE_A", 400, "size must be an integer"),
    ("GET", ENC + "?number=1&number=2", None, "SAE_A", 400, "a query parameter is given twice"),
    ("GET", ENC + "?number=" + "9" * 5000, None, "SAE_A", 400, "number must be an integer"),
    ("POST", ENC, {"extension_mandatory": {"a": 1}}, "SAE_A", 400, "extension_mandatory must be an array of objects"),
    ("POST", ENC, {"extension_mandatory": [{"abc_route_type": "direct"}]}, "SAE_A", 400, messages.MANDATORY_UNKNOWN),
    ("POST", ENC, {"extension_mandatory": [{"qstack_route_type": "scenic"}]}, "SAE_A", 400, messages.MANDATORY_UNMET),
    ("POST", ENC, {"extension_mandatory": [{"qstack_probabilistic": True}]}, "SAE_A", 400, messages.MANDATORY_UNMET),
    ("POST", ENC, {"extension_optional": [{"abc_route_type": "direct"}]}, "SAE_A", 200, None),
    ("POST", ENC, {"extension_mandatory": [{"qstack_route_type": "direct", "qstack_simulated": False}]}, "SAE_A", 200, None),
    ("POST", ENC, {"additional_slave_SAE_IDs": "SAE_C"}, "SAE_A", 400, "additional_slave_SAE_IDs must be an array of strings"),
    ("POST", ENC, {"additional_slave_SAE_IDs": ["SAE_C", "SAE_C"]}, "SAE_A", 400, "additional_slave_SAE_IDs names an SAE twice"),
    ("POST", ENC, {"additional_slave_SAE_IDs": ["SAE_B"]}, "SAE_A", 400,
     "additional_slave_SAE_IDs names an SAE that is unknown, the caller or the slave"),
    ("POST", ENC, {"additional_slave_SAE_IDs": [f"S{n}" for n in range(9)]}, "SAE_A", 400,
     "9 additional_slave_SAE_IDs; allowed are 0 to max_SAE_ID_count 8"),
    ("POST", ENC, b"", "SAE_A", 200, None),
    ("POST", ENC, {"number": None, "unheard_of": [{}]}, "SAE_A", 200, None),
    ("GET", DEC, None, "SAE_B", 400, "key_ID is missing; GET takes exactly one, POST takes key_IDs"),
    ("GET", DEC + "?key_ID=17", None, "SAE_B", 400, messages.NOT_FOUND),
    ("GET", DEC + f"?key_ID={NOWHERE}", None, "SAE_B", 400, messages.NOT_FOUND),
    ("GET", DEC + f"?key_ID={NOWHERE.replace('-', '')}", None, "SAE_B", 400, messages.NOT_FOUND),
    ("POST", DEC, {}, "SAE_B", 400, 'key_IDs must be an array of at least one object such as {"key_ID": "<uuid>"}'),
    ("POST", DEC, {"key_IDs": []}, "SAE_B", 400, None),
    ("POST", DEC, {"key_IDs": [NOWHERE]}, "SAE_B", 400, None),
    ("POST", DEC, {"key_IDs": [{"key_ID": 7}]}, "SAE_B", 400, "key_ID must be a string"),
    ("POST", DEC, ids(NOWHERE, NOWHERE.upper()), "SAE_B", 400, "key_IDs names a key twice"),
    ("POST", DEC, ids(*[str(uuid.UUID(int=n)) for n in range(129)]), "SAE_B", 400,
     "129 key_IDs; allowed are 1 to max_key_per_request 128"),
]  # fmt: skip


def test_each_request_has_its_answer(rig):
    async def scenario(sites):
        await sites.fill(40)
        services = {kme: DeliveryService(site.manager) for kme, site in sites.sites.items()}
        answers = []
        for method, target, body, caller, *_ in REQUESTS:
            raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
            kme = "kme-2" if caller == "SAE_B" else "kme-1"
            answers.append(await services[kme].answer(Request(method, target, raw, caller)))
        return answers, await sites.sites["kme-1"].manager.depth("kme-2")

    answers, left = rig(scenario)
    wrong = []
    for (method, target, _, _, status, message), answer in zip(REQUESTS, answers, strict=True):
        data = json.loads(answer.body)
        if answer.status != status or (message is not None and data["message"] != message):
            wrong.append((method, target, answer.status, data.get("message")))
        assert answer.status == 200 or isinstance(data["message"], str)
    assert wrong == []
    granted = sum(1 for request in REQUESTS if request[1] == ENC and request[4] == 200)
    assert left == 40 - granted


def test_refused_extensions_are_named(rig):
    async def scenario(sites):
        service = DeliveryService(sites.sites["kme-1"].manager)
        body = json.dumps({"extension_mandatory": [{"abc_route_type": "direct"}]}).encode()
        return json.loads((await service.answer(Request("POST", ENC, body, "SAE_A"))).body)

    assert rig(scenario)["details"] == [{"extension_mandatory_unsupported": "abc_route_type is not supported"}]


def test_an_empty_pool_is_503_and_a_used_quota_too(rig):
    async def scenario(sites):
        service = DeliveryService(sites.sites["kme-1"].manager)
        empty = await service.answer(Request("GET", ENC, b"", "SAE_A"))
        await sites.fill(8)
        answers = [await service.answer(Request("GET", ENC + "?size=512", b"", "SAE_A")) for _ in range(2)]
        return [empty, *answers]

    empty, granted, spent = rig(scenario, keys={"quota_bits": 512})
    assert (empty.status, granted.status, spent.status) == (503, 200, 503)
    assert json.loads(empty.body)["message"].startswith("not enough keys in the pool: 0 of 1")
    assert json.loads(spent.body)["message"].startswith("the quota is used up: 512 of 512 bits taken")
    assert empty.headers["Retry-After"] == "1"


@pytest.mark.requirement("QS-KY-017")
def test_simulated_keys_say_so_and_can_be_refused(rig):
    async def scenario(sites):
        await sites.fill(8, simulated=True)
        service = DeliveryService(sites.sites["kme-1"].manager)
        body = json.dumps({"extension_mandatory": [{"qstack_simulated": False}]}).encode()
        return [json.loads((await service.answer(Request("POST", ENC, raw, "SAE_A"))).body) for raw in (b"", body)]

    granted, refused = rig(scenario)
    assert granted["keys"][0]["key_extension"] == {"qstack_simulated": True}
    assert refused["message"] == messages.MANDATORY_UNMET


def test_a_replayed_fetch_is_a_clean_400_any_number_of_times(rig):
    async def scenario(sites):
        await sites.fill(8)
        async with sites.client("SAE_A") as a:
            (key,) = await a.enc_keys("SAE_B")
        service = DeliveryService(sites.sites["kme-2"].manager)
        request = Request("GET", f"{DEC}?key_ID={key.key.upper()}", b"", "SAE_B")
        return [await service.answer(request) for _ in range(4)]

    answers = rig(scenario)
    assert [answer.status for answer in answers] == [200, 400, 400, 400]
    assert {json.loads(answer.body)["message"] for answer in answers[1:]} == {messages.NOT_FOUND}


def test_concurrent_fetches_of_one_key_give_it_once(rig):
    async def scenario(sites):
        await sites.fill(8)
        async with sites.client("SAE_A") as a:
            (key,) = await a.enc_keys("SAE_B")
        service = DeliveryService(sites.sites["kme-2"].manager)
        request = Request("GET", f"{DEC}?key_ID={key.key}", b"", "SAE_B")
        return await asyncio.gather(*(service.answer(request) for _ in range(20)))

    assert sorted(answer.status for answer in rig(scenario)) == [200] + [400] * 19


def test_a_store_that_breaks_is_503_without_its_words(rig, capsys):
    async def scenario(sites):
        await sites.fill(40)
        sites.stores["kme-1"].db.run("PRAGMA max_page_count = 1")
        service = DeliveryService(sites.sites["kme-1"].manager)
        sites.stores["kme-1"].db.run("DROP TABLE audit")
        return await service.answer(Request("GET", ENC, b"", "SAE_A"))

    answer = rig(scenario)
    assert answer.status == 503
    assert json.loads(answer.body) == {"message": "the key store does not answer; no key was handed out"}
    assert "store.failed" in capsys.readouterr().out


def test_no_key_shows_in_a_log_or_a_repr(rig, capsys):
    async def scenario(sites):
        await sites.fill(8)
        service = DeliveryService(sites.sites["kme-1"].manager)
        return await service.answer(Request("GET", ENC, b"", "SAE_A"))

    answer = rig(scenario)
    key = json.loads(answer.body)["keys"][0]["key"]
    assert key not in repr(answer)
    assert key not in capsys.readouterr().out


@pytest.mark.parametrize("body", [b"", b"{}", b'{"number": 2}'])
def test_sizes_have_the_server_s_default(body):
    limits = Keys(key_size=128)
    assert read_key_request(body, "", limits).size == 128


def test_a_post_that_names_nothing_in_its_body_may_use_the_query():
    assert read_key_request(b" ", "number=3&size=512&colour=red", Keys()).number == 3


def test_a_get_ignores_other_parameters():
    assert read_key_ids("GET", b"", f"key_ID={NOWHERE}&x=1", Keys()) == (NOWHERE,)
    with pytest.raises(ProblemError):
        read_key_ids("GET", b"", f"key_ID={NOWHERE}&key_ID={NOWHERE}", Keys())
