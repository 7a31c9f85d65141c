"""A device in a process of its own, for a vendor to copy: it speaks the protocol of docs/drivers.md and needs no qstack.

    python device.py FOLDER HOST:PORT NODE ...

FOLDER holds device.pem, device.key and ca.pem; the NODEs are those of the scenario, in its order.  What is simulated here
is one bench that all nodes share, with perfect Bell pairs: `Bench` is what a vendor replaces with calls to the laboratory.
Distillation is refused, as by a device that cannot do it.
"""

import asyncio
import json
import math
import random
import ssl
import sys
import time
from pathlib import Path

SLOW = 20.0
"""Seconds of the wall for one second of the network."""
MEAN = 0.02
"""Mean time between a lane's successes [s of the wall]."""
LANES = 4
"""Memories at each end of a link, as the scenario has them."""
SIGNS = ((1, -1, 1), (-1, 1, 1), (1, 1, -1), (-1, -1, -1))
"""<XX>, <YY>, <ZZ> of Phi+, Phi-, Psi+, Psi-."""
AXES = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
BASES = (AXES[2], AXES[0], AXES[1])
"""Z, X and Y, as the protocol numbers them."""
ORIGIN = time.time_ns()
CHANCE = random.SystemRandom()


class Half:
    """A qubit: half of a Bell pair with `other`, or alone with a Bloch vector."""

    def __init__(self, vector=(0.0, 0.0, 0.0)):
        self.other, self.bell, self.vector = None, 0, vector

    def pair(self, other, bell):
        """Be a pair with another qubit."""
        self.other, other.other, self.bell, other.bell = other, self, bell, bell

    def measure(self, axis):
        """Return the bit of a measurement along an axis; the partner is left alone in what follows from it."""
        bit = int(CHANCE.random() > (1 + sum(a * v for a, v in zip(axis, self.vector, strict=True))) / 2)
        if self.other:
            sign = 1 - 2 * bit
            self.other.vector = tuple(sign * s * a for s, a in zip(SIGNS[self.bell], axis, strict=True))
            self.other.other = self.other = None
        return bit


def join(left, right):
    """Measure two qubits in the Bell basis; return the outcome."""
    weights = [1 + sum(s * v * w for s, v, w in zip(signs, left.vector, right.vector, strict=True)) for signs in SIGNS]
    outcome = CHANCE.choices(range(4), weights)[0]
    if left.other and right.other:
        left.other.pair(right.other, left.bell ^ right.bell ^ outcome)
    for alone, half in ((left, right), (right, left)):
        if half.other and not alone.other:
            code = half.bell ^ outcome
            flips = (-1 if code & 1 else 1, -1 if code & 1 ^ code >> 1 else 1, -1 if code & 2 else 1)
            half.other.vector = tuple(f * v for f, v in zip(flips, alone.vector, strict=True))
            half.other.other = None
    return outcome


class Bench:
    """All devices.  Requests arrive as mappings; `tell` sends what a device says."""

    def __init__(self, tell):
        self.tell = tell
        self.qubits, self.triggers, self.lanes, self.busy = {}, {}, {}, set()
        self.last, self.sequence = 0, {}
        self.wanted = set()  # ends of links that have asked for a memory while none was free

    def ask(self, node, request):
        """Obey one request."""
        getattr(self, "on_" + request["noun"], self.refuse)(node, request)

    def refuse(self, node, request):
        """Say that this device cannot do it."""
        raise ValueError(f"this device cannot do {request['noun']}")

    def new(self, node, half, lane=None):
        """Put a qubit into a memory and return its number."""
        self.last += 1
        self.qubits[node, self.last] = half
        if lane is not None:
            self.lanes[node, self.last] = lane
            self.busy.add((node, *lane))
        return self.last

    def take(self, node, number):
        """Empty a memory."""
        if (node, number) not in self.qubits:
            raise ValueError(f"node {node} holds no qubit {number}")
        lane = self.lanes.pop((node, number), None)
        if lane is not None:
            self.busy.discard((node, *lane))
            self.arm(node, *lane)
            if (node, lane[0]) in self.wanted:  # said after everything else that this request brings about
                asyncio.get_running_loop().call_soon(self.freed, node, lane[0])
        return self.qubits.pop((node, number))

    def on_Trigger(self, node, r):
        peer, lane = r["peer"], r["lane"]
        if r["aid"] < 0:
            self.triggers.pop((node, peer, lane), None)
        else:
            self.triggers[node, peer, lane] = r
            self.arm(node, peer, lane)

    def arm(self, node, peer, lane):
        """Let a lane succeed some time later if both ends attempt."""
        ends = self.ready(node, peer, lane)
        if ends:
            asyncio.get_running_loop().call_later(CHANCE.expovariate(1 / MEAN), self.succeed, node, peer, lane, ends)

    def ready(self, node, peer, lane):
        """Return the attempts of both ends if they fit together."""
        ends = self.triggers.get((node, peer, lane)), self.triggers.get((peer, node, lane))
        busy = {(node, peer, lane), (peer, node, lane)} & self.busy
        return ends if all(ends) and not busy and ends[0]["aid"] == ends[1]["aid"] else None

    def succeed(self, node, peer, lane, ends):
        """Make a pair and tell both ends, unless one has changed its mind."""
        now = self.ready(node, peer, lane)
        if now is None or now[0] is not ends[0] or now[1] is not ends[1]:
            return
        link = frozenset((node, peer))
        self.sequence[link] = (self.sequence.get(link, -1) + 1) % (1 << 16)
        halves, bell = (Half(), Half()), CHANCE.choice((2, 3))
        halves[0].pair(halves[1], bell)
        emitted = str((time.time_ns() - ORIGIN) * 1000 // int(SLOW))
        for here, there, r, half in ((node, peer, ends[0], halves[0]), (peer, node, ends[1], halves[1])):
            basis = -1 if r["keep"] else CHANCE.choice(r["bases"])
            kept = self.new(here, half, (there, lane)) if r["keep"] else -1
            bit = -1 if r["keep"] else half.measure(BASES[basis])
            says = {"peer": there, "lane": lane, "aid": r["aid"], "sequence": self.sequence[link], "bell": bell}
            self.tell(here, "Herald", **says, qubit=kept, emitted=emitted, basis=basis, outcome=bit)
        self.arm(node, peer, lane)

    def on_Free(self, node, r):
        self.take(node, r["qubit"]).measure(AXES[2])

    def on_AskRoom(self, node, r):
        end = node, r["peer"]
        free = sum((*end, lane) not in self.busy for lane in range(LANES))
        (self.wanted.discard if free else self.wanted.add)(end)
        self.tell(node, "Room", peer=end[1], free=free)

    def freed(self, node, peer):
        """Tell an end that has asked in vain that it has a memory again, once."""
        if (node, peer) in self.wanted:
            self.on_AskRoom(node, {"peer": peer})

    def on_Swap(self, node, r):
        outcome = join(self.take(node, r["left"]), self.take(node, r["right"]))
        self.tell(node, "Swapped", left=r["left"], right=r["right"], outcome=outcome)

    def on_BellMeasure(self, node, r):
        outcome = join(self.take(node, r["data"]), self.take(node, r["half"]))
        self.tell(node, "BellMeasured", data=r["data"], half=r["half"], outcome=outcome, purpose=r["purpose"])

    def on_Measure(self, node, r):
        bit = self.take(node, r["qubit"]).measure(BASES[r["basis"]])
        self.tell(node, "Measured", qubit=r["qubit"], basis=r["basis"], outcome=bit, purpose=r["purpose"])

    def on_MeasureAlong(self, node, r):
        bit = self.take(node, r["qubit"]).measure(direction(r))
        self.tell(node, "Measured", qubit=r["qubit"], basis=-1, outcome=bit, purpose=r["purpose"])

    def on_Probe(self, node, r):
        bit = self.take(node, r["qubit"]).measure(BASES[r["basis"]])
        self.tell(node, "Probed", qubit=r["qubit"], basis=r["basis"], outcome=bit)

    def on_Prepare(self, node, r):
        self.tell(node, "Prepared", qubit=self.new(node, Half(direction(r))), purpose=r["purpose"])

    def on_DrawBits(self, node, r):
        value = f"{CHANCE.getrandbits(r['number']):x}"
        self.tell(node, "Bits", purpose=r["purpose"], number=r["number"], value=value)

    def on_Apply(self, node, r):
        half, code = self.qubits[node, r["qubit"]], r["pauli"]
        if half.other:
            half.pair(half.other, half.bell ^ code)
        else:
            flips = (-1 if code & 1 else 1, -1 if code & 1 ^ code >> 1 else 1, -1 if code & 2 else 1)
            half.vector = tuple(f * v for f, v in zip(flips, half.vector, strict=True))

    def reset(self, node):
        """Stop the lanes of a node that has left, and empty its memories."""
        self.triggers = {key: r for key, r in self.triggers.items() if key[0] != node}
        self.wanted = {end for end in self.wanted if end[0] != node}
        for number in [number for owner, number in self.qubits if owner == node]:
            self.on_Free(node, {"qubit": number})


def direction(r):
    """Return the Bloch vector that steps of 2 pi / 65536 point at."""
    polar, azimuth = (r[key] * 2 * math.pi / (1 << 16) for key in ("polar", "azimuth"))
    return math.sin(polar) * math.cos(azimuth), math.sin(polar) * math.sin(azimuth), math.cos(polar)


async def main(folder, address, names):
    """Serve until killed."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=folder / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(folder / "device.pem", folder / "device.key")
    nodes = {}

    def write(node, content):
        if node in nodes:
            nodes[node].write(json.dumps(content).encode() + b"\n")

    bench = Bench(lambda node, noun, **fields: write(node, {"noun": noun, **fields}))

    async def serve(reader, writer):
        subject = dict(part[0] for part in writer.get_extra_info("peercert")["subject"])
        node = names.index(subject["commonName"])
        nodes[node] = writer
        write(node, {"laboratory": 2, "node": node, "origin_ns": str(ORIGIN), "slow": SLOW})
        try:
            while data := await reader.readline():
                content = json.loads(data)
                try:
                    write(node, content) if "alive" in content else bench.ask(node, content)
                except (ValueError, LookupError) as error:
                    write(node, {"error": str(error), "request": content})
        finally:
            if nodes.get(node) is writer:
                del nodes[node]
                bench.reset(node)
            writer.transport.abort()

    host, _, port = address.rpartition(":")
    server = await asyncio.start_server(serve, host, int(port), ssl=context)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
