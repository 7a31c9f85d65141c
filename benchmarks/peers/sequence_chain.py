"""Workload P1 as near as SeQUeNCe has it: python sequence_chain.py SEGMENTS SECONDS; prints one line of JSON.

Routers with 10 memories a side and stations in the middle of 20 km links; memories attempt at 2 kHz with efficiency 0.9
over fibre of 0.2 dB/km, detectors have efficiency 0.9 and no dark counts, one reservation stands from end to end all the
time.  A single link runs in the faster of its formalisms (Bell-diagonal states); its swaps need the other (kets).
"""

import json
import sys
import tempfile
from itertools import pairwise
from time import process_time

from sequence.app.request_app import RequestApp
from sequence.constants import SINGLE_HERALDED
from sequence.entanglement_management.generation import EntanglementGenerationA, EntanglementGenerationB
from sequence.topology.router_net_topo import RouterNetTopo

SECOND = 10**12
HOP = 100_000_000
"""Time of a message to a neighbour [ps]."""


def topology(segments: int) -> dict:
    """Return the chain as SeQUeNCe's configuration."""
    routers = [f"r{n}" for n in range(segments + 1)]
    ends = {routers[0], routers[-1]}
    memory = {"fidelity": 0.97, "efficiency": 0.9, "frequency": 2000, "coherence_time": 0.1}
    templates = {"router": {"MemoryArray": memory}, "station": {}}
    if segments == 1:
        memory["decoherence_errors"] = [0, 0, 1]
        templates["station"]["encoding_type"] = SINGLE_HERALDED
    return {
        "formalism": "bell_diagonal" if segments == 1 else "ket_vector",
        "templates": templates,
        "nodes": [
            {"name": r, "type": "QuantumRouter", "seed": i, "memo_size": 10 if r in ends else 20, "template": "router"}
            for i, r in enumerate(routers)
        ],
        "qconnections": [
            {
                "node1": a,
                "node2": b,
                "attenuation": 0.0002,
                "distance": 20_000,
                "type": "meet_in_the_middle",
                "seed": i,
                "template": "station",
            }
            for i, (a, b) in enumerate(pairwise(routers))
        ],
        "cconnections": [
            {"node1": a, "node2": b, "delay": HOP * (j - i)}
            for i, a in enumerate(routers)
            for j, b in enumerate(routers)
            if i < j
        ],
        "stop_time": 10**15,
    }


def main(segments: int, seconds: float) -> None:
    """Run and print what was delivered and the CPU time it took."""
    if segments == 1:
        EntanglementGenerationA.set_global_type(SINGLE_HERALDED)
        EntanglementGenerationB.set_global_type(SINGLE_HERALDED)
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(topology(segments), file)
        file.flush()
        network = RouterNetTopo(file.name)
    line = network.get_timeline()
    end = int(seconds * SECOND)
    line.stop_time = end
    for station in network.get_nodes_by_type(RouterNetTopo.BSM_NODE):
        for part in station.components.values():
            if hasattr(part, "update_detectors_params"):
                part.update_detectors_params("efficiency", 0.9)
                part.update_detectors_params("dark_count", 0)
    routers = {node.name: node for node in network.get_nodes_by_type(RouterNetTopo.QUANTUM_ROUTER)}
    source, target = RequestApp(routers["r0"]), RequestApp(routers[f"r{segments}"])
    line.init()
    source.start(target.node.name, SECOND // 100, end, 10, 0.1)
    begin = process_time()
    line.run()
    cpu = process_time() - begin
    print(json.dumps({"done": source.memory_counter, "cpu": cpu}))


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
