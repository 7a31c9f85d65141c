"""Two key managers on loopback, their certificates, and clients for their applications."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import secrets
import socket
from dataclasses import dataclass, field

import pytest

pytest.importorskip("aiohttp")
pytest.importorskip("cryptography")

from qstack.integration.certificates import make_certificates
from qstack.integration.etsi014.client import Etsi014Client
from qstack.integration.kme.settings import read_settings
from qstack.integration.site import Site
from qstack.integration.tls import client_context
from qstack.keys.store import Policy, open_store
from qstack.services.key_delivery import CONTROL_OCTETS, Deposit
from qstack.services.secret import Secret

NAMES = ["kme-1", "kme-2", "kme-3", "SAE_A", "SAE_B", "SAE_C", "SAE_D", "SAE_E", "stranger"]
SAES = {"SAE_A": "kme-1", "SAE_D": "kme-1", "SAE_B": "kme-2", "SAE_C": "kme-2", "SAE_E": "kme-3"}


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    directory = tmp_path_factory.mktemp("certificates")
    return make_certificates(directory / "good", NAMES), make_certificates(directory / "bad", NAMES)


def free_ports(number):
    sockets = [socket.socket() for _ in range(number)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@dataclass
class Rig:
    sites: dict
    stores: dict
    tls: dict
    foreign: dict
    writers: list = field(default_factory=list)

    def client(self, sae, kme=None, **options):
        tls = self.tls[sae]
        context = client_context(tls.certificate, tls.key, tls.authority)
        return Etsi014Client(self.sites[kme or SAES[sae]].url, context, **options)

    def store(self, kme, call):
        return self.stores[kme].call(call)

    async def fill(self, keys=20, ends=("kme-1", "kme-2"), *, simulated=False, spoil=False):
        octets = secrets.token_bytes(CONTROL_OCTETS + 32 * keys)
        name = secrets.token_hex(4)
        for one, other in (ends, ends[::-1]):
            mine = octets if one == ends[0] or not spoil else octets[:-1] + bytes([octets[-1] ^ 1])
            await self.sites[one].manager.deposit(Deposit(other, name, Secret(mine), {}, simulated))
        for _ in range(100):
            depths = [await self.sites[a].manager.depth(b) for a, b in (ends, ends[::-1])]
            if spoil or (min(depths) >= keys and depths[0] == depths[1]):
                return
            await asyncio.sleep(0.02)
        raise AssertionError(f"the pools did not come into step: {depths}")


@contextlib.asynccontextmanager
async def running(tmp_path, certificates, kmes=("kme-1", "kme-2"), **changes):
    good, bad = certificates
    ports = dict(zip(kmes, free_ports(len(kmes)), strict=True))
    async with contextlib.AsyncExitStack() as stack:
        rig = Rig({}, {}, good, bad)
        for kme in kmes:
            data = {
                "kme_id": kme,
                "store": str(tmp_path / f"{kme}.db"),
                "tls": good[kme].model_dump(),
                "peer_listen": {"port": ports[kme]},
                "saes": {sae: at for sae, at in SAES.items() if at in kmes},
                "peers": {other: f"https://localhost:{ports[other]}" for other in kmes if other != kme},
                **changes,
            }
            settings = read_settings(data)
            keys = settings.keys
            policy = Policy(kme, key_bits=keys.key_size, quota_bits=keys.quota_bits, ttl_s=keys.ttl_s)
            store = open_store(settings.store, policy)
            stack.callback(store.close)
            rig.stores[kme] = store
            rig.sites[kme] = await stack.enter_async_context(Site(settings, store))
        yield rig
        for writer in rig.writers:
            writer.transport.abort()
        await asyncio.sleep(0)


@pytest.fixture
def second_rig(tmp_path, certificates):
    """Two more key managers, beside those of `rig`: ``async with second_rig() as sites``."""

    def start(**changes):
        directory = tmp_path / "second"
        directory.mkdir()
        return running(directory, certificates, **changes)

    return start


@pytest.fixture
def rig(tmp_path, certificates):
    """Run a coroutine function against two running key managers: ``rig(scenario, keys={...})``."""

    runs = itertools.count()

    def run(scenario, **changes):
        directory = tmp_path / str(next(runs))
        directory.mkdir()

        async def main():
            async with asyncio.timeout(30), running(directory, certificates, **changes) as sites:
                return await scenario(sites)

        return asyncio.run(main())

    return run
