"""A key manager that is killed under load: nobody gets a key twice, and both ends agree afterwards."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from qstack.integration.etsi014.client import Etsi014Client, Etsi014Error
from qstack.integration.tls import client_context
from qstack.keys.store import Policy, open_store, verify
from qstack.services.key_delivery import CONTROL_OCTETS, Confirm, Count, Deposit, Settle
from qstack.services.secret import Secret

ROOT = str(Path(__file__).parents[3])
KEYS = 2000


def fill(paths):
    octets = os.urandom(CONTROL_OCTETS + 32 * KEYS)
    stores = {kme: open_store(path, Policy(kme)) for kme, path in paths.items()}
    offer = stores["kme-1"].call(Deposit("kme-2", "b", Secret(octets), {}, simulated=False))
    stores["kme-2"].call(Deposit("kme-1", "b", Secret(octets), {}, simulated=False))
    stores["kme-1"].call(Settle("kme-2", "b", stores["kme-2"].call(Confirm("kme-1", offer))))
    for store in stores.values():
        store.close()


def start(directory, kme, tls, ports, far):
    settings = {
        "kme_id": kme,
        "store": f"{kme}.db",
        "tls": {name: str(value) for name, value in tls[kme].model_dump().items()},
        "listen": {"port": ports[kme][0]},
        "peer_listen": {"port": ports[kme][1]},
        "peers": {far: f"https://localhost:{ports[far][1]}"},
        "saes": {"SAE_A": "kme-1", "SAE_B": "kme-2"},
    }
    path = directory / f"{kme}.yaml"
    YAML().dump(settings, path)
    code = "from qstack.cli.keys import command; command()"
    arguments = [sys.executable, "-c", code, "serve", "--for", "60", str(path)]
    return subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": ROOT}
    )


async def serves(server):
    """Wait for the first line, and read all others: a server whose pipe is full would wait for its reader."""
    await asyncio.to_thread(server.stdout.readline)
    threading.Thread(target=server.stdout.read, daemon=True).start()


def books_balance(paths):
    for kme, far in (("kme-1", "kme-2"), ("kme-2", "kme-1")):
        store = open_store(paths[kme], Policy(kme))
        counts = store.call(Count(far))
        verify(store.db, "server-1")
        store.close()
        assert sum(counts.states.values()) == counts.total == KEYS


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["kme-1", "kme-2"])
def test_kill_under_load(tmp_path, certificates, victim):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(4)]
    numbers = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    ports = {"kme-1": numbers[:2], "kme-2": numbers[2:]}
    tls = certificates[0]
    paths = {kme: str(tmp_path / f"{kme}.db") for kme in ports}
    fill(paths)
    servers = {kme: start(tmp_path, kme, tls, ports, far) for kme, far in (("kme-1", "kme-2"), ("kme-2", "kme-1"))}
    got = {"SAE_A": [], "SAE_B": []}

    def client(sae, kme):
        files = tls[sae]
        context = client_context(files.certificate, files.key, files.authority)
        return Etsi014Client(f"https://localhost:{ports[kme][0]}", context, timeout_s=3)

    async def take(stop):
        async with client("SAE_A", "kme-1") as a, client("SAE_B", "kme-2") as b:
            while not stop.is_set():
                try:
                    keys = await a.enc_keys("SAE_B", 2)
                    got["SAE_A"] += [(key.key, key.octets.reveal()) for key in keys]
                    same = await b.dec_keys("SAE_A", [key.key for key in keys])
                    got["SAE_B"] += [(key.key, key.octets.reveal()) for key in same]
                except Etsi014Error:
                    await asyncio.sleep(0.02)

    async def main():
        for server in servers.values():
            await serves(server)
        stop = asyncio.Event()
        tasks = [asyncio.create_task(take(stop)) for _ in range(4)]
        far = "kme-2" if victim == "kme-1" else "kme-1"
        for _ in range(3):
            await asyncio.sleep(0.7)
            servers[victim].send_signal(signal.SIGKILL)
            servers[victim].wait(10)
            servers[victim].stdout.close()
            servers[victim] = start(tmp_path, victim, tls, ports, far)
            await serves(servers[victim])
        before = len(got["SAE_B"])
        await asyncio.sleep(1.5)
        stop.set()
        await asyncio.gather(*tasks)
        return before

    try:
        before = asyncio.run(asyncio.wait_for(main(), 50))
    finally:
        for server in servers.values():
            server.terminate()
            server.wait(10)
            server.stdout.close()
    first, second = dict(got["SAE_A"]), dict(got["SAE_B"])
    assert len(first) == len(got["SAE_A"]) > 100
    assert len(second) == len(got["SAE_B"])
    assert len(second) > before, "it goes on after the last kill"
    assert all(first[name] == octets for name, octets in second.items())
    books_balance(paths)
