"""The example that a vendor copies: three nodes and a device that knows nothing of qstack, as processes on loopback."""

from __future__ import annotations

import asyncio
import math
import random
import runpy
import subprocess
import sys
from itertools import product

import pytest

pytest.importorskip("cryptography")
from processes import NODES, ROOT, Processes, consumed

from qstack.integration.certificates import make_certificates

DEVICE = ROOT / "examples" / "loopback" / "device.py"
DELIVERED = {"flow": 0, "reason": 0}


@pytest.fixture(scope="module")
def bench():
    return runpy.run_path(str(DEVICE))


@pytest.mark.parametrize("bells", list(product(range(4), range(4))))
def test_swapped_pairs_have_the_bell_index_of_the_rule(bench, bells):
    """Bell indices add bitwise: Zukowski et al., Phys. Rev. Lett. 71, 4287 (1993)."""
    half, signs = bench["Half"], bench["SIGNS"]
    for axis in range(3):
        a, b, c, d = (half() for _ in range(4))
        a.pair(b, bells[0])
        c.pair(d, bells[1])
        outcome = bench["join"](b, c)
        vector = bench["AXES"][axis]
        product_of_bits = (1 - 2 * a.measure(vector)) * (1 - 2 * d.measure(vector))
        assert product_of_bits == signs[bells[0] ^ bells[1] ^ outcome][axis]


def test_teleported_states_arrive(bench):
    draw = random.Random(3)
    for bell, _ in product(range(4), range(5)):
        vector = bench["direction"]({"polar": draw.randrange(1 << 15), "azimuth": draw.randrange(1 << 16)})
        assert math.hypot(*vector) == pytest.approx(1)
        data, near, far = bench["Half"](vector), bench["Half"](), bench["Half"]()
        near.pair(far, bell)
        code = bell ^ bench["join"](data, near)
        x, y, z = far.vector
        flip_x, flip_z = (-1) ** (code & 1), (-1) ** (code >> 1)
        assert (x * flip_x, y * flip_x * flip_z, z * flip_z) == pytest.approx(vector)


@pytest.mark.requirement("QS-L1-310", "QS-L1-311")
def test_free_memories_are_counted_and_the_first_one_is_told_of(bench):
    """As the laboratory does: at the end that has asked in vain, once."""
    told = []
    lanes = bench["LANES"]

    async def talk():
        device = bench["Bench"](lambda node, noun, **fields: told.append((node, noun, *fields.values())))
        ask = {"noun": "AskRoom", "peer": 1}
        device.ask(0, ask)
        held = [device.new(0, bench["Half"](), (1, lane)) for lane in range(lanes)]
        others = [device.new(1, bench["Half"](), (0, lane)) for lane in range(lanes)]
        device.ask(0, ask)
        device.ask(1, {"noun": "AskRoom", "peer": 2})  # of another link
        for node, qubits in ((1, others), (0, held)):
            for qubit in qubits:
                device.ask(node, {"noun": "Free", "qubit": qubit})
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    asyncio.run(talk())
    assert told == [(0, "Room", 1, lanes), (0, "Room", 1, 0), (1, "Room", 2, lanes), (0, "Room", 1, lanes)]


@pytest.mark.slow
@pytest.mark.requirement("QS-CL-247")
@pytest.mark.parametrize("app", ["pairs", "teleport"])
def test_nodes_run_on_a_device_that_knows_nothing_of_qstack(app, tmp_path, three):
    data = three(stack={"network": {"cutoff": "200 ms"}}, run={"until": "100 s", "seed": 3})
    data["flows"][0] |= {"number": 15, "app": app}
    if app == "teleport":
        data["run"]["tier"] = "exact"
    net = Processes(tmp_path, data)
    make_certificates(tmp_path / "certificates", (*NODES, "device"))
    address = net.addresses["laboratory"]
    for name in NODES:
        net.write(name, driver={"use": "socket", "name": "device", "address": address})
    command = [sys.executable, str(DEVICE), str(tmp_path / "certificates"), address, *NODES]
    with subprocess.Popen(command) as device:
        try:
            net.start(*NODES)
            for name in ("n0", "n2"):
                net.wait(name, "Finished", **DELIVERED)
            head, tail = consumed(net, "n0"), consumed(net, "n2")
            assert head.keys() == tail.keys()
            assert len(head) >= 15
            if app == "pairs":
                assert head == tail
            assert not [event for name in NODES for event in net.events(name, "refused")]
            device.kill()
            for name in NODES:
                assert f"the device at {address} is gone" in net.wait(name, "ended")["why"]
                assert net.running[name].poll() is None, "it waits for the device to come back"
        finally:
            device.kill()
            net.stop()
