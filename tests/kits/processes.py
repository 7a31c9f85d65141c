"""Nodes and a laboratory as processes, started and stopped by their ids."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from qstack.integration.certificates import make_certificates

ROOT = Path(__file__).parents[2]
NODES = ("n0", "n1", "n2")
NAMES = (*NODES, "laboratory")
PATIENCE = 60.0


def free_addresses(names=NAMES):
    """Return an address for each name; nobody listens there now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in names]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return {name: f"127.0.0.1:{one.getsockname()[1]}" for name, one in zip(names, sockets, strict=True)}


class Processes:
    """A network of processes in a folder."""

    def __init__(self, folder, data, slow=20.0):
        self.folder = folder
        self.running = {}
        (folder / "scenario.yaml").write_text(json.dumps(data))
        make_certificates(folder / "certificates", NAMES)
        self.addresses = free_addresses()
        for name in NAMES:
            self.write(name, slow=slow)

    def write(self, name, **more):
        """Write a node file."""
        path = self.folder / f"{name}.yaml"
        content = {
            "scenario": "scenario.yaml",
            "node": name,
            "addresses": self.addresses,
            "certificate": f"certificates/{name}.pem",
            "key": f"certificates/{name}.key",
            "authority": "certificates/ca.pem",
            **more,
        }
        path.write_text(json.dumps(content))
        return path

    def start(self, *names, options=()):
        """Start processes."""
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([*filter(None, [os.environ.get("PYTHONPATH")]), str(ROOT)]),
        }
        for name in names:
            with (self.folder / f"{name}.out").open("ab") as out, (self.folder / f"{name}.err").open("ab") as err:
                self.running[name] = subprocess.Popen(
                    [sys.executable, "-c", "from qstack.cli import main; main()", "serve", f"{name}.yaml", *options],
                    cwd=self.folder,
                    env=environment,
                    stdout=out,
                    stderr=err,
                )

    def kill(self, name):
        """Kill a process without a chance to say good-bye."""
        process = self.running.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait(10)

    def stop(self):
        """Ask all processes to end, and return their exit codes."""
        codes = {}
        for name, process in sorted(self.running.items(), key=lambda item: item[0] == "laboratory"):
            process.terminate()  # the laboratory last: a node without it ends with an error
            try:
                codes[name] = process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                codes[name] = process.wait(10)
        self.running.clear()
        return codes

    def events(self, name, kind=None):
        """Return what a process has told, complete lines only."""
        path = self.folder / f"{name}.out"
        lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
        told = [json.loads(line) for line in lines]
        return [event for event in told if kind is None or event["event"] == kind]

    def errors(self, name):
        return (self.folder / f"{name}.err").read_text()

    def wait(self, name, kind, number=1, **fields):
        """Wait until a process has told something so often; return the last of it."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            found = [e for e in self.events(name, kind) if all(e.get(k) == v for k, v in fields.items())]
            if len(found) >= number:
                return found[number - 1]
            process = self.running.get(name)
            assert process is None or process.poll() is None, f"{name} ended: {self.errors(name)}"
            time.sleep(0.05)
        raise AssertionError(f"{name} told no {number} x {kind} {fields}: {self.events(name)[-5:]} {self.errors(name)}")


def consumed(network, name, after="0"):
    """Return pair number to Bell index, since a time."""
    found = {}
    for event in network.events(name, "Consumed"):
        if int(event["time_ps"]) > int(after):
            assert event["pair"] not in found, "delivered twice"
            found[event["pair"]] = event["bell"]
    return found
