"""Two stores of two sites, by hand."""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

pytest.importorskip("cryptography")

from qstack.keys.store import Policy, open_store
from qstack.services.key_delivery import CONTROL_OCTETS, Confirm, Deposit, Settle
from qstack.services.secret import Secret


class Clock:
    """Seconds that a test moves."""

    def __init__(self):
        self.now = 4_000_000_000.0  # after any real clock: workers and second openings use that

    def __call__(self):
        return self.now


class Pools:
    """The two ends of one pool."""

    def __init__(self, first, second, clock):
        self.first = first
        self.second = second
        self.clock = clock
        self.blocks = 0

    def fill(self, keys, **options):
        self.blocks += 1
        name = f"block-{self.blocks}"
        octets = hashlib.shake_128(name.encode()).digest(CONTROL_OCTETS + 32 * keys)
        offer = self.first.call(Deposit("kme-2", name, Secret(octets), {}, simulated=False, **options))
        self.second.call(Deposit("kme-1", name, Secret(octets), {}, simulated=False, **options))
        agreed = self.second.call(Confirm("kme-1", offer))
        self.first.call(Settle("kme-2", name, agreed))
        return octets[CONTROL_OCTETS:]


@pytest.fixture
def open_pools(tmp_path):
    """Open both stores: ``open_pools(quota_bits=...)``; files stay when opened again."""
    with contextlib.ExitStack() as stack:

        def make(urls=None, secret=None, **policy):
            clock = Clock()
            urls = urls or [str(tmp_path / f"kme-{n}.db") for n in (1, 2)]
            stores = [
                stack.enter_context(contextlib.closing(open_store(url, Policy(f"kme-{n}", **policy), clock, secret)))
                for n, url in enumerate(urls, start=1)
            ]
            return Pools(*stores, clock)

        yield make


WORKER = """
import os, sys
from qstack.keys.store import Policy, open_store
from qstack.services.key_delivery import Fetch, Reserve, Refused
store = open_store(sys.argv[1], Policy("kme-1", server=sys.argv[2]))
os.write(1, b"ready\\n")
for n in range(int(sys.argv[3])):
    found = store.call(Reserve("kme-2", "SAE_A", ("SAE_B",), 1, 256))
    if isinstance(found, Refused):
        break
    (key,) = store.call(Fetch("SAE_A", [found[0].key], "SAE_A"))
    os.write(1, f"{key.key} {key.octets.reveal().hex()}\\n".encode())
"""


@pytest.fixture
def worker():
    """Start a process that takes keys of a store until there are none, and writes each one down."""

    def start(url, name, most=10_000):
        root = str(Path(__file__).parents[3])
        environment = {**os.environ, "PYTHONPATH": root}
        command = [sys.executable, "-c", WORKER, url, name, str(most)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)

    return start


@pytest.fixture
def delivered():
    """Read what a worker wrote: pairs of identifier and octets."""

    def read(output):
        return [line.split() for line in output.decode().splitlines() if line.count(" ") == 1]

    return read


def postgres_programs():
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


@pytest.fixture(scope="session")
def postgres():
    """A real server of its own, on loopback; yields a function that makes an empty database and returns its URL."""
    programs = postgres_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed")
    psycopg = pytest.importorskip("psycopg")
    directory = Path(tempfile.mkdtemp(prefix="qstack-pg-"))
    user = getpass.getuser()
    prefix = []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        user = "postgres"
        shutil.chown(directory, user, pwd.getpwnam(user).pw_gid)
        prefix = ["runuser", "-u", user, "--"]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = directory / "data"
    options = ["-A", "trust", "-U", "qstack", "--no-sync"]
    subprocess.run([*prefix, programs / "initdb", "-D", data, *options], check=True, capture_output=True, cwd="/")
    arguments = ["-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", directory]
    log = (directory / "log").open("w")
    server = subprocess.Popen([*prefix, programs / "postgres", *arguments], stdout=log, stderr=log, cwd="/")
    base = f"postgresql://qstack@127.0.0.1:{port}"
    try:
        for _ in range(100):
            try:
                psycopg.connect(f"{base}/postgres", connect_timeout=1).close()
                break
            except psycopg.OperationalError:
                time.sleep(0.1)
        names = iter(range(1000))

        def make():
            name = f"store_{next(names)}"
            with psycopg.connect(f"{base}/postgres", autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {name}")
            return f"{base}/{name}"

        make.pid_file = data / "postmaster.pid"
        make.data = data
        yield make
    finally:
        number = int((data / "postmaster.pid").read_text().split()[0])
        os.kill(number, signal.SIGQUIT)
        server.wait(20)
        log.close()
        shutil.rmtree(directory)
