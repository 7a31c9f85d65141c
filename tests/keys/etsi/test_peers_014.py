"""Two and three key managers keep their pools in step, whatever happens to one of them."""

from __future__ import annotations

import asyncio
import json

import pytest

from qstack.cli.keys_serve import pull
from qstack.core.errors import ConfigError
from qstack.integration.etsi014.client import Etsi014Error, Southbound
from qstack.integration.etsi014.service import Request
from qstack.integration.kme.peer_service import PeerService
from qstack.integration.kme.settings import Listen, SouthboundSettings
from qstack.keys.store import StoreError
from qstack.services.key_delivery import Count, Deposit, Fetch, Sweep, Unconfirmed, Untold
from qstack.services.secret import Secret

THREE = ("kme-1", "kme-2", "kme-3")


def states(sites, kme, peer):
    return sites.store(kme, Count(peer)).states


async def eventually(check):
    for _ in range(150):
        if check():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not come to that")


def test_a_peer_that_is_silent_is_503_and_the_keys_are_dead_at_both_ends(rig):
    async def scenario(sites):
        await sites.fill(8)
        port = sites.sites["kme-2"].managers.port
        await sites.sites["kme-2"].managers.close()
        async with sites.client("SAE_A") as a:
            with pytest.raises(Etsi014Error) as caught:
                await a.enc_keys("SAE_B", 2)
        dead = states(sites, "kme-1", "kme-2"), states(sites, "kme-2", "kme-1")
        await sites.sites["kme-2"].managers.start(Listen(port=port))
        await eventually(lambda: states(sites, "kme-2", "kme-1") == {"ready": 6, "voided": 2})
        async with sites.client("SAE_A") as a:
            keys = await a.enc_keys("SAE_B")
        return caught.value, dead, keys

    error, dead, keys = rig(scenario)
    assert error.status == 503
    assert error.message.startswith("key manager kme-2 does not answer")
    assert dead == ({"ready": 6, "voided": 2}, {"ready": 8})
    assert len(keys) == 1


class Witness:
    """A store that writes down what is asked of it, in order."""

    def __init__(self, store, story):
        self.store = store
        self.story = story
        self.broken = False

    def batch(self, calls, *, flush=True):
        self.story += [type(call).__name__ for call in calls if not isinstance(call, (Sweep, Unconfirmed, Untold))]
        return self.store.batch(calls, flush=flush)

    def flush(self):
        self.story.append("flush")
        if self.broken:
            raise StoreError("the disk does not answer")
        self.store.flush()


def witnesses(sites):
    story = []
    for kme, site in sites.sites.items():
        site.manager.store = Witness(sites.stores[kme], story)
    return story


@pytest.mark.requirement("QS-KY-012")
def test_a_key_is_on_disk_before_anybody_hears_of_it(rig):
    async def scenario(sites):
        await sites.fill(4)
        story = witnesses(sites)
        async with sites.client("SAE_A") as a, sites.client("SAE_B") as b:
            (key,) = await a.enc_keys("SAE_B")
            await b.dec_keys("SAE_A", [key.key])
        return story

    # Nothing depends on the disk for the peer's half (Admit) and the master's copy (the first Fetch).
    assert rig(scenario) == ["Reserve", "flush", "Admit", "Fetch", "Fetch", "flush"]


def test_a_disk_that_does_not_answer_lets_no_key_out(rig):
    async def scenario(sites):
        await sites.fill(4)
        witnesses(sites)
        async with sites.client("SAE_A") as a, sites.client("SAE_B") as b:
            (key,) = await a.enc_keys("SAE_B")
            errors = []
            for store in (sites.sites[kme].manager.store for kme in ("kme-1", "kme-2")):
                store.broken = True
            for ask in (a.enc_keys("SAE_B"), b.dec_keys("SAE_A", [key.key])):
                with pytest.raises(Etsi014Error) as caught:
                    await ask
                errors.append(caught.value)
        return errors, states(sites, "kme-2", "kme-1")

    errors, at_peer = rig(scenario)
    assert {str(error) for error in errors} == {"503: the key store does not answer; no key was handed out"}
    assert at_peer == {"consumed": 1, "ready": 3}  # what was asked for is lost, in the open; what was not is untouched


def test_blocks_that_differ_never_become_keys(rig):
    async def scenario(sites):
        await sites.fill(8, spoil=True)
        await eventually(lambda: states(sites, "kme-1", "kme-2") == {"voided": 8} == states(sites, "kme-2", "kme-1"))
        async with sites.client("SAE_A") as a:
            with pytest.raises(Etsi014Error, match="503: not enough keys"):
                await a.enc_keys("SAE_B")

    rig(scenario)


def test_one_sided_demand_uses_the_whole_pool(rig):
    async def scenario(sites):
        await sites.fill(12)
        async with sites.client("SAE_A") as a, sites.client("SAE_B") as b:
            keys = [key for _ in range(12) for key in await a.enc_keys("SAE_B")]
            same = await b.dec_keys("SAE_A", [key.key for key in keys])
            with pytest.raises(Etsi014Error) as caught:
                await a.enc_keys("SAE_B")
        return keys, same, caught.value.status

    keys, same, status = rig(scenario)
    assert sorted((k.key, k.octets.reveal()) for k in keys) == sorted((k.key, k.octets.reveal()) for k in same)
    assert len({key.key for key in keys}) == 12
    assert status == 503


@pytest.mark.requirement("QS-CL-005")
def test_both_sides_ask_at_once_and_nobody_gets_a_key_twice(rig):
    async def scenario(sites):
        await sites.fill(60)
        async with sites.client("SAE_A") as a, sites.client("SAE_B") as b:
            found = await asyncio.gather(
                *(a.enc_keys("SAE_B", 2) for _ in range(12)), *(b.enc_keys("SAE_A", 2) for _ in range(12))
            )
            mine = [key for keys in found[:12] for key in keys]
            theirs = [key for keys in found[12:] for key in keys]
            assert await b.dec_keys("SAE_A", [key.key for key in mine]) == mine
            assert await a.dec_keys("SAE_B", [key.key for key in theirs]) == theirs
        return [key.key for key in mine + theirs]

    names = rig(scenario)
    assert len(set(names)) == len(names) == 48


def test_multicast_within_and_across_key_managers(rig):
    async def scenario(sites):
        for ends in (("kme-1", "kme-2"), ("kme-1", "kme-3"), ("kme-2", "kme-3")):
            await sites.fill(20, ends)
        others = ["SAE_C", "SAE_D", "SAE_E"]
        async with sites.client("SAE_A") as a:
            keys = await a.enc_keys("SAE_B", 2, 384, additional_slave_SAE_IDs=others)
        got = {}
        for sae in ("SAE_B", *others):
            async with sites.client(sae) as client:
                got[sae] = await client.dec_keys("SAE_A", [key.key for key in keys])
                with pytest.raises(Etsi014Error, match="400: one or more keys specified are not found on KME"):
                    await client.dec_keys("SAE_A", [keys[0].key])
        return keys, got, states(sites, "kme-3", "kme-1")

    keys, got, at_third = rig(scenario, kmes=THREE)
    assert all([key.octets for key in found] == [key.octets for key in keys] for found in got.values())
    assert {sae: found[0].hops for sae, found in got.items()} == {"SAE_B": 0, "SAE_C": 0, "SAE_D": 0, "SAE_E": 1}
    # Two keys of 384 bits need two pads of 384 + 256 bits: three pool keys each, and the two keys themselves.
    assert at_third == {"consumed": 8, "ready": 14}


def test_a_direct_route_excludes_a_relay(rig):
    async def scenario(sites):
        await sites.fill(8)
        options = {"extension_mandatory": [{"qstack_route_type": "direct"}]}
        async with sites.client("SAE_A") as a:
            assert len(await a.enc_keys("SAE_B", additional_slave_SAE_IDs=["SAE_C"], **options)) == 1
            with pytest.raises(Etsi014Error) as caught:
                await a.enc_keys("SAE_B", additional_slave_SAE_IDs=["SAE_E"], **options)
        return caught.value

    error = rig(scenario, kmes=THREE)
    assert error.message == "not all extension_mandatory request options could be met"


def test_a_relay_without_pad_gives_nothing_to_anybody(rig):
    async def scenario(sites):
        await sites.fill(8)
        async with sites.client("SAE_A") as a:
            with pytest.raises(Etsi014Error, match=r"503: .*pad keys towards kme-3"):
                await a.enc_keys("SAE_B", additional_slave_SAE_IDs=["SAE_E"])
        await eventually(lambda: states(sites, "kme-2", "kme-1") == {"ready": 7, "voided": 1})

    rig(scenario, kmes=THREE)


def test_probabilistic_answers_before_the_peer_where_it_is_granted(rig):
    async def scenario(sites):
        await sites.fill(8)
        await sites.sites["kme-2"].managers.close()
        async with sites.client("SAE_A") as a:
            return await a.enc_keys("SAE_B", extension_optional=[{"qstack_probabilistic": True}])

    assert len(rig(scenario, keys={"probabilistic": True})) == 1
    with pytest.raises(Etsi014Error, match="503"):
        rig(scenario)


def peer_says(sites, verb, body, caller="kme-1", kme="kme-2"):
    service = PeerService(sites.sites[kme].manager)
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return service.answer(Request("POST", f"/kme/v1/{verb}", raw, caller))


@pytest.mark.parametrize(
    ("verb", "body", "caller", "status"),
    [
        ("admit", {"assignments": []}, "SAE_A", 401),
        ("admit", {"assignments": []}, None, 401),
        ("admit", {"assignments": [{"key": 1}]}, "kme-1", 400),
        ("admit", b"\xff", "kme-1", 400),
        ("offer", {"block": "b", "keys": 1, "tag": "zz"}, "kme-1", 400),
        ("offer", {"block": "b", "keys": 1, "tag": "00"}, "kme-1", 200),
        ("carry", {"keys": [{"sealed": "00"}]}, "kme-1", 400),
        ("steal", {}, "kme-1", 404),
    ],
)
def test_peers_are_not_believed_blindly(rig, verb, body, caller, status):
    async def scenario(sites):
        return await peer_says(sites, verb, body, caller)

    answer = rig(scenario)
    assert answer.status == status
    assert verb == "offer" or json.loads(answer.body)["message"]


def test_a_peer_speaks_for_its_own_applications_and_keys_only(rig):
    async def scenario(sites):
        await sites.fill(4)
        await sites.fill(4, ("kme-2", "kme-3"))
        names = [
            row[0] for row in sites.stores["kme-2"].db.rows("SELECT id FROM keys WHERE peer = 'kme-1' ORDER BY seq")
        ]
        foreign = [row[0] for row in sites.stores["kme-2"].db.rows("SELECT id FROM keys WHERE peer = 'kme-3'")]

        def admission(key, master="SAE_A", slaves=("SAE_B",), size=256, chunks=None):
            return {"key": key, "chunks": chunks or [key], "size_bits": size, "master": master, "slaves": slaves}

        bad = [
            admission(names[0], master="SAE_E"),
            admission(names[0], slaves=["SAE_D"]),
            admission(names[0], slaves=[]),
            admission(names[1]),  # of the half that kme-2 hands out itself
            admission(names[0], size=257 * 8),
            admission(names[0], chunks=[names[2]]),
            admission(foreign[0]),
        ]
        answers = [json.loads((await peer_says(sites, "admit", {"assignments": [one]})).body) for one in bad]
        await peer_says(sites, "void", {"keys": foreign})
        good = json.loads((await peer_says(sites, "admit", {"assignments": [admission(names[0])]})).body)
        again = json.loads((await peer_says(sites, "admit", {"assignments": [admission(names[0])]})).body)
        return bad, answers, good, again, states(sites, "kme-2", "kme-3"), names

    bad, answers, good, again, untouched, names = rig(scenario, kmes=THREE)
    assert [answer["refused"] for answer in answers] == [[one["key"]] for one in bad]
    assert good == {"refused": []}
    assert again == {"refused": [names[0]]}
    assert untouched == {"ready": 4}


def test_a_carried_key_that_was_changed_on_the_way_is_refused(rig):
    async def scenario(sites):
        await sites.fill(8)
        await sites.fill(8, ("kme-1", "kme-3"))
        peer = sites.sites["kme-1"].manager.peers["kme-3"]
        send = peer.carry

        async def changed(keys):
            for key in keys:
                key.sealed = bytes([key.sealed[0] ^ 1]) + key.sealed[1:]
            return await send(keys)

        peer.carry = changed
        async with sites.client("SAE_A") as a:
            with pytest.raises(Etsi014Error, match="503: key manager kme-3 does not take 1 of the keys"):
                await a.enc_keys("SAE_B", additional_slave_SAE_IDs=["SAE_E"])
        log = sites.stores["kme-3"].db.rows("SELECT record FROM audit WHERE record LIKE '%forged%'")
        return log, states(sites, "kme-3", "kme-1")

    log, left = rig(scenario, kmes=THREE)
    assert len(log) == 1
    assert left == {"consumed": 2, "ready": 6}


def test_keys_of_a_device_enter_southbound(rig):
    """The lower pair of key managers stands for the device; the upper pair pulls from it."""

    async def scenario(lower):
        await lower.fill(40, simulated=True)
        from_a, from_b = lower.client("SAE_A"), lower.client("SAE_B")
        async with from_a, from_b:
            first = Southbound(from_a, "kme-2", "SAE_B", number=8)
            second = Southbound(from_b, "kme-1", "SAE_A", number=8)
            block, announce = await first.pull()
            other = await second.find(block.block, announce)
            assert other.octets == block.octets
            assert (block.simulated, other.simulated) == (True, True)
            assert await second.find(block.block, announce) is None  # once
            assert await second.find(block.block, {"key_IDs": "x"}) is None
            manager, far = (lower.sites[kme].manager for kme in ("kme-1", "kme-2"))
            far.finders["kme-1"] = second
            before = await far.depth("kme-1")
            block, announce = await first.pull()
            await manager.deposit(block, announce)
            for _ in range(100):
                if await far.depth("kme-1") == before - 8 + 7:
                    break
                await asyncio.sleep(0.02)
            return await far.depth("kme-1") - before

    # 8 keys of the device left its pool; 7 came of them, one has gone into comparing the ends.
    assert rig(scenario) == -1


def test_two_key_managers_feed_on_two_below_them(rig, second_rig):
    def below(lower, kme, sae, other, *, pulls):
        tls, url = lower.tls[sae].model_dump(), lower.sites[kme].url
        return SouthboundSettings.model_validate({
            "url": url, "tls": tls, "other_sae": other, "pulls": pulls, "number": 10, "size": 512,
        })  # fmt: skip

    async def scenario(lower):
        await lower.fill(60)
        async with second_rig(keys={"max_key_count": 60}) as upper:
            ends = upper.sites["kme-1"], upper.sites["kme-2"]
            work = [
                asyncio.create_task(pull(ends[0], "kme-2", below(lower, "kme-1", "SAE_A", "SAE_B", pulls=True))),
                asyncio.create_task(pull(ends[1], "kme-1", below(lower, "kme-2", "SAE_B", "SAE_A", pulls=False))),
            ]
            for _ in range(200):
                if min(await ends[0].manager.depth("kme-2"), await ends[1].manager.depth("kme-1")) >= 30:
                    break
                await asyncio.sleep(0.02)
            async with upper.client("SAE_A") as a, upper.client("SAE_B") as b:
                keys = await a.enc_keys("SAE_B", 20)
                same = await b.dec_keys("SAE_A", [key.key for key in keys])
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
        return keys, same, await lower.sites["kme-1"].manager.depth("kme-2")

    keys, same, left = rig(scenario)
    assert same == keys
    # Blocks of 10 keys of 512 bits are 20 of 256, one of which compares the ends: two blocks pass half of the capacity.
    assert left == 60 - 2 * 20


def test_simulated_keys_stay_on_this_machine(rig):
    async def scenario(sites):
        site = sites.sites["kme-1"]
        away = site.settings.model_copy(update={"listen": Listen(host="192.0.2.1")})
        site.manager.settings = away
        block = Deposit("kme-2", "b", Secret(bytes(100)), {}, simulated=True)
        with pytest.raises(ConfigError, match="simulated keys protect nothing"):
            await site.manager.deposit(block)
        site.manager.settings = away.model_copy(update={"allow_simulated_off_loopback": True})
        return await site.manager.deposit(block)

    assert rig(scenario).keys == 2


@pytest.mark.parametrize(("host", "loopback"), [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False),
                                                ("192.0.2.1", False), ("::", False), ("example.org", False)])  # fmt: skip
def test_what_loopback_is(host, loopback):
    assert Listen(host=host).is_loopback() is loopback


def test_a_key_that_expires_between_the_two_ends_is_given_to_nobody(rig):
    async def scenario(sites):
        await sites.fill(4)
        sites.stores["kme-2"].clock = lambda: 4e9
        async with sites.client("SAE_A") as a:
            with pytest.raises(Etsi014Error, match="503: key manager kme-2 does not hold 1 of the keys"):
                await a.enc_keys("SAE_B")
        name = sites.stores["kme-1"].db.rows("SELECT id FROM keys WHERE state = 'voided'")[0][0]
        return sites.store("kme-1", Fetch("SAE_A", [name], "SAE_A"))

    assert rig(scenario).detail
