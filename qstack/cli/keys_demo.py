"""The demonstration: from blocks to a TLS 1.3 session, and what happens when somebody listens."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import structlog

from qstack.cli.keys_serve import deposited, running
from qstack.cli.keys_sources import Wanted, source_maker
from qstack.core.errors import ConfigError, QstackError
from qstack.integration.certificates import make_certificates
from qstack.integration.consumers.combiner import Combined, KemPair, Leg, MissingLegError, Mode, combine, kem_send
from qstack.integration.consumers.psk import Psk, openssl_client, openssl_server, openssl_session
from qstack.integration.etsi014.client import Etsi014Client, Etsi014Error
from qstack.integration.files import wipe_file, write_private
from qstack.integration.kme.settings import KmeSettings, Tls, read_settings
from qstack.integration.site import Site
from qstack.integration.tls import client_context
from qstack.keys.store.source import DroppedBlock, MakeAttack, TappableSource, called

LIMIT_S = 45
KEYS_LEFT = 1
MOST_AT_ONCE = 128
SESSIONS = 6
EAVESDROPPED_BLOCKS = 2
SAID = "hello from Alice"
ECHO = SAID[::-1]
KINDS = {"both": ("bb84", "bbm92")}
NAMES = ("kme-1", "kme-2")
PROVENANCE = {
    "bb84": "decoy-state BB84, finite key; simulated: ",
    "bbm92": "pairs of the stack, measured at both ends of 10 km of fibre (BBM92), finite key; simulated",
    "test": "a TEST source, no QKD at all",
}
Tell = Callable[[str], None]


def show(modes: Sequence[str], source: str, wanted: Wanted, tell: Tell) -> None:
    """Run the demonstration once; raises `QstackError` when anything is not as it says."""
    if shutil.which("openssl") is None:
        raise ConfigError("the demonstration needs the program openssl")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with tempfile.TemporaryDirectory(prefix="qstack-keys-") as name:
        asyncio.run(_bounded(Path(name), [Mode(mode) for mode in modes], source, wanted, tell))


async def _bounded(directory: Path, modes: Sequence[Mode], kind: str, wanted: Wanted, tell: Tell) -> None:
    try:
        async with asyncio.timeout(LIMIT_S):
            await _story(directory, modes, kind, wanted, tell)
    except TimeoutError:
        text = f"the demonstration was not over after {LIMIT_S} s: is the machine busy? One link alone is faster: --source bb84"
        raise QstackError(text) from None


async def _story(directory: Path, modes: Sequence[Mode], kind: str, wanted: Wanted, tell: Tell) -> None:
    tls = make_certificates(directory / "certificates", (*NAMES, "SAE_A", "SAE_B"))
    sources = {name: source_maker(name, wanted)(NAMES) for name in KINDS.get(kind, (kind,))}
    async with running(_settings(directory, tls)) as sites, _clients(sites, tls) as (alice, bob):
        one, two = (sites[name] for name in NAMES)
        tell(f"Two sites. Key managers kme-1 {one.url} and kme-2 {two.url}, mutual TLS. Blocks come from:")
        for name in sources:
            about = wanted.found.words if name == "bb84" else ""
            tell(f"  {name:6} {PROVENANCE[name]}{about}")
        tell("Every key is marked qstack_simulated. A session combines a QKD key (qkd) with an ML-KEM key (pqc).")
        links = [Link(name, (one, two), source, tell) for name, source in sources.items()]
        tell("\n-- A quiet line")
        for link in links:
            await link.block()
        pair = Pair(alice, bob, directory, tell)
        await pair.session(modes[0])
        tell(f"\n-- Eve tunes in: {called(wanted.attacker())}")
        reached = [link for link in links if link.tapped(wanted.attacker)]
        for link in reached * (EAVESDROPPED_BLOCKS // len(links)):
            await link.block()
        await pair.use_up(KEYS_LEFT)
        for mode in modes:
            tell(f"\n-- Sessions on what is left, mode {mode.value}")
            await _until_dry(pair, mode)


async def _until_dry(pair: Pair, mode: Mode) -> None:
    """Open sessions until one has no QKD leg: it must be refused or fall back, as the mode says."""
    for _ in range(SESSIONS):
        try:
            combined = await pair.session(mode)
        except MissingLegError as error:
            pair.tell(f"Session refused. {error}")
            return
        if combined.missing:
            pair.tell(
                f"Session fell back: without {' and '.join(combined.missing)}, as {mode.value} allows, and says so."
            )
            return
    raise QstackError(f"the pool was not dry after {SESSIONS} sessions")


class Link:
    """The two ends of a link, each depositing what passed."""

    def __init__(self, name: str, sites: tuple[Site, Site], source: TappableSource, tell: Tell) -> None:
        self.name = name
        self.sites = sites
        self.names = (sites[0].settings.kme_id, sites[1].settings.kme_id)
        self.source = source
        self.blocks = source.blocks()
        self.tell = tell

    def tapped(self, attack: MakeAttack) -> bool:
        """Let somebody at the line; return whether she has anything to do there."""
        try:
            self.source.eavesdrop(attack)
        except ConfigError as error:
            self.tell(f"{self.name:6} {error}.")
            return False
        return True

    async def block(self) -> None:
        """Take one block from the source and wait until both ends have compared it."""
        block = await asyncio.to_thread(next, self.blocks)
        if self.source.report is not None:
            self.tell(f"{self.name:6} {self.source.report}")
        if isinstance(block, DroppedBlock):
            self.tell(f"{self.name:6} Block dropped at both ends: {block.why}.")
            return
        before = await self.sites[0].manager.depth(self.names[1])
        if why := await deposited(block, self.sites, self.names):
            self.tell(f"{self.name:6} Block passed, but kept by no key manager: {why}.")
            return
        depths = [before, before]
        while min(depths) <= before:
            await asyncio.sleep(0.02)
            depths = [await self.sites[n].manager.depth(self.names[1 - n]) for n in (0, 1)]
        error, made = block.ledger["qber"], 8 * len(block.ends[0])
        keys = f"{depths[0] - before} keys of 256 bits, {depths[0]} now stored at both ends"
        text = f"Block passed, error rate {error:.1%}, {made} secret bits: {keys}."
        self.tell(f"{self.name:6} {text}")


class Pair:
    """Two applications that open TLS sessions on the keys of their key managers."""

    def __init__(self, alice: Etsi014Client, bob: Etsi014Client, directory: Path, tell: Tell) -> None:
        self.alice = alice
        self.bob = bob
        self.directory = directory
        self.tell = tell

    async def session(self, mode: Mode) -> Combined:
        """Fetch, combine, connect; raises `MissingLegError` when the mode does not allow what there is."""
        mine, theirs = await self._qkd()
        kem = KemPair()
        sent, ciphertext = kem_send(kem.public)
        names = ("SAE_A", "SAE_B")
        first = combine(mode, mine, sent, names, context="tls13-psk")
        second = combine(mode, theirs, kem.receive(ciphertext), names, context="tls13-psk")
        identity = (mine or sent).reference
        self.tell(f"TLS session on {' + '.join(first.legs)}, PSK identity {identity}")
        client_file, server_file = self.directory / "client.pem", self.directory / "server.pem"
        write_private(client_file, openssl_session(Psk(identity, first.key)))
        write_private(server_file, openssl_session(Psk(identity, second.key)))
        try:
            for line in await _openssl(client_file, server_file, identity):
                self.tell(f"    openssl s_client: {line}")
        finally:
            wipe_file(client_file)
            wipe_file(server_file)
        return first

    async def use_up(self, rest: int) -> None:
        """Let other traffic of the two applications take all keys but a few."""
        taken = 0
        while (number := (await self.alice.status("SAE_B"))["stored_key_count"] - rest) > 0:
            keys = await self.alice.enc_keys("SAE_B", min(number, MOST_AT_ONCE))
            if await self.bob.dec_keys("SAE_A", [key.key for key in keys]) != keys:
                raise QstackError("the two sites have different keys")
            taken += len(keys)
        self.tell(f"Other traffic takes {taken} keys, the same at both sites; no new ones come.")

    async def _qkd(self) -> tuple[Leg | None, Leg | None]:
        try:
            (mine,) = await self.alice.enc_keys("SAE_B")
        except Etsi014Error as error:
            if error.status != 503:
                raise
            self.tell(f"kme-1 answers 503: {error.message}")
            return None, None
        (theirs,) = await self.bob.dec_keys("SAE_A", [mine.key])
        return Leg(mine.octets, mine.key), Leg(theirs.octets, theirs.key)


async def _openssl(client_file: Path, server_file: Path, identity: str) -> list[str]:
    """Run an unmodified server and client; return what the client says about the session. Raises `QstackError`."""
    port = _free_port()
    server = await _start(openssl_server(port, server_file, identity), stdin=True)
    try:
        await _listening(port)
        client = await _start(openssl_client(port, client_file, identity), stdin=True)
        try:
            out, _ = await asyncio.wait_for(_talk(client), 5)
        finally:
            await _stop(client)
    finally:
        await _stop(server)
    lines = out.decode(errors="replace").splitlines()
    told = [line.strip() for line in lines if line.startswith(("Protocol version", "Ciphersuite", ECHO))]
    if not {"Protocol version: TLSv1.3", ECHO} <= set(told):
        raise QstackError("openssl made no TLS 1.3 session: " + " / ".join(lines[:4]))
    return [f"{line}   (the server turns round what it hears: {SAID})" if line == ECHO else line for line in told]


async def _talk(client: asyncio.subprocess.Process) -> tuple[bytes, bytes]:
    """Send a line, wait for it to come back reversed, hang up."""
    assert client.stdin is not None
    assert client.stdout is not None
    client.stdin.write(f"{SAID}\n".encode())
    await client.stdin.drain()
    out = b""
    while ECHO.encode() not in out and (line := await client.stdout.readline()):
        out += line
    client.stdin.close()
    return out, b""


async def _start(arguments: Sequence[str], *, stdin: bool) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        *arguments, stdin=pipe if stdin else None, stdout=pipe, stderr=asyncio.subprocess.STDOUT
    )


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    await process.wait()


async def _listening(port: int) -> None:
    """Wait until somebody listens, without connecting: a server of one session would take that for the session."""
    for _ in range(200):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return
        await asyncio.sleep(0.02)
    raise QstackError("openssl s_server did not start")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _settings(directory: Path, tls: dict[str, Tls]) -> list[KmeSettings]:
    ports = {"kme-1": _free_port(), "kme-2": _free_port()}
    return [
        read_settings(
            {
                "kme_id": kme,
                "store": str(directory / f"{kme}.db"),
                "tls": tls[kme].model_dump(),
                "peer_listen": {"port": ports[kme]},
                "peers": {other: f"https://localhost:{port}" for other, port in ports.items() if other != kme},
                "saes": {"SAE_A": "kme-1", "SAE_B": "kme-2"},
            }
        )
        for kme in ports
    ]


@contextlib.asynccontextmanager
async def _clients(sites: dict[str, Site], tls: dict[str, Tls]) -> AsyncIterator[tuple[Etsi014Client, Etsi014Client]]:
    def client(sae: str, kme: str) -> Etsi014Client:
        files = tls[sae]
        return Etsi014Client(sites[kme].url, client_context(files.certificate, files.key, files.authority))

    async with client("SAE_A", "kme-1") as alice, client("SAE_B", "kme-2") as bob:
        yield alice, bob
