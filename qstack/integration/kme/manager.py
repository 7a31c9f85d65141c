"""The key manager: what stands between applications, the key store and the other key managers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from qstack.core.errors import QstackError
from qstack.integration.kme.batching import Batcher
from qstack.integration.kme.peers import Peer, PeerError
from qstack.integration.kme.settings import KmeSettings
from qstack.integration.kme.wire import OfferMessage
from qstack.services import key_delivery as ask
from qstack.services.key_store import Call, KeyStore, must_be_durable

log = structlog.get_logger("qstack.kme")
BORROW_AT_ONCE = 64
TEND_S = 0.5
FLUSHES = 2
"""Waits for the disk at once: who comes during one need not wait for its end before his own begins."""


class UnavailableError(QstackError):
    """Keys cannot be had now; the same request may be met later."""


class RefusalError(QstackError):
    """The store refuses, for a reason of the request's own."""

    def __init__(self, refused: ask.Refused) -> None:
        super().__init__(refused.reason.value)
        self.refused = refused


@dataclass(frozen=True, slots=True)
class Order:
    """What an application asks for.

    Parameters
    ----------
    master, slave, additional
        Applications; every slave gets identical keys.
    number, size_bits
        How many, how long [bit].
    direct, genuine
        Refuse relayed keys; refuse simulated keys.
    probabilistic
        Answer before the other key manager has.
    """

    master: str
    slave: str
    number: int
    size_bits: int
    additional: tuple[str, ...] = ()
    direct: bool = False
    genuine: bool = False
    probabilistic: bool = False


class BlockSource(Protocol):
    """Finds the own end of a block that the peer has announced (a device asked by its interface needs that)."""

    async def find(self, block: str, announce: Mapping[str, Any]) -> ask.Deposit | None:
        """Return the block, or None when it cannot be had."""


class KeyManager:
    """Owns a store and talks to peers.

    Parameters
    ----------
    settings
        Of the operator.
    store
        Where keys are; used from one thread, many calls to a commit.
    peers
        The other key managers by identifier.
    """

    def __init__(self, settings: KmeSettings, store: KeyStore, peers: Mapping[str, Peer]) -> None:
        self.settings = settings
        self.store = store
        self.peers = peers
        self.finders: dict[str, BlockSource] = {}
        self.announcements: dict[tuple[str, str], Mapping[str, Any]] = {}
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="key-store")
        self.disk = ThreadPoolExecutor(FLUSHES, thread_name_prefix="key-flush")
        self.calls: Batcher[Call, Any] = Batcher(self._answer)
        self.flushes: Batcher[None, None] = Batcher(self._flush, limit=4096, lanes=FLUSHES)
        self.tasks: set[asyncio.Task[Any]] = set()
        self.woken = asyncio.Event()

    async def query(self, call: Call) -> Any:  # each call has its own answer
        """Return the store's answer to a call, durable if it must be: one wait for the disk serves many calls."""
        answer = await self.calls.ask(call)
        if must_be_durable(call):
            await self.flushes.ask(None)
        return answer

    def _batch(self, calls: list[Call]) -> list[Any]:
        return self.store.batch(calls, flush=False)

    async def _flush(self, waiting: list[None]) -> list[None]:
        await asyncio.get_running_loop().run_in_executor(self.disk, self.store.flush)
        return waiting

    async def _answer(self, calls: list[Call]) -> list[Any]:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self.thread, self._batch, calls)
        except Exception as error:
            if len(calls) == 1:
                raise
            log.warning("store.batch_failed", error=type(error).__name__, calls=len(calls))
        # One call may have spoiled the batch: each gets its own transaction, and its own error.
        answers: list[Any] = []
        for call in calls:
            try:
                answers += await loop.run_in_executor(self.thread, self._batch, [call])
            except Exception as error:  # noqa: BLE001  # raised to the caller of this call
                answers.append(error)
        return answers

    # -- towards applications ---------------------------------------------------------------------------------------

    async def get_keys(self, order: Order) -> tuple[ask.Key, ...]:
        """Make keys deliverable to all slaves, then hand them to the master.

        Raises
        ------
        UnavailableError
            No keys, or another key manager does not answer; keys already taken are voided.
        RefusalError
            The request itself cannot be met.
        """
        assignments, pending = await self._reserve(order)
        names = [item.key for item in assignments]
        try:
            if order.probabilistic:
                self._later(self._spread_or_void(pending, names))
            else:
                await self._spread(pending)
        except (PeerError, UnavailableError) as error:
            await self._void(names, str(error))
            raise UnavailableError(str(error)) from None
        keys = await self.query(ask.Fetch(order.master, names, order.master))
        if isinstance(keys, ask.Refused):
            raise UnavailableError("the keys expired while the other key manager was asked")
        return tuple(keys)

    async def fetch(self, sae: str, master: str, names: Sequence[str]) -> tuple[ask.Key, ...]:
        """Hand keys with known identifiers to a slave; raises `RefusalError`."""
        keys = await self.query(ask.Fetch(sae, names, master))
        if isinstance(keys, ask.Refused):
            raise RefusalError(keys)
        return tuple(keys)

    async def depth(self, peer: str, *, coming: bool = False) -> int:
        """Return the number of keys that could be handed out now, or soon."""
        return int(await self.query(ask.Depth(peer, coming)))

    async def _reserve(self, order: Order) -> tuple[tuple[ask.Assignment, ...], list[Callable[[], Awaitable[None]]]]:
        """Reserve keys; return them with the calls that make them known to each key manager concerned."""
        at: dict[str, list[str]] = {}
        for sae in (order.slave, *order.additional):
            at.setdefault(self.settings.saes[sae], []).append(sae)
        home = self.settings.kme_id
        first = self.settings.saes[order.slave]
        call = ask.Reserve(
            peer=first,
            master=order.master,
            slaves=tuple(at[first]),
            number=order.number,
            size_bits=order.size_bits,
            local=tuple(at.get(home, ())),
            direct=order.direct,
            genuine=order.genuine,
        )
        answer = await self.query(call)
        if isinstance(answer, ask.Refused) and answer.reason is ask.Reason.EMPTY and await self._borrow(call):
            answer = await self.query(call)
        if isinstance(answer, ask.Refused):
            if answer.reason in {ask.Reason.EMPTY, ask.Reason.QUOTA}:
                raise UnavailableError(f"{answer.reason.value}: {answer.detail}")
            raise RefusalError(answer)

        async def admit() -> None:
            refused = await self.peers[first].admit(answer)
            if refused:
                raise UnavailableError(f"key manager {first} does not hold {len(refused)} of the keys")

        def carry(kme: str, saes: list[str]) -> Callable[[], Awaitable[None]]:
            return lambda: self._carry(kme, answer, tuple(saes))

        return answer, [admit, *(carry(kme, saes) for kme, saes in at.items() if kme not in {first, home})]

    async def _carry(self, kme: str, assignments: Sequence[ask.Assignment], saes: tuple[str, ...]) -> None:
        entitled = [ask.Assignment(a.key, a.chunks, a.size_bits, a.master, saes) for a in assignments]
        wrapped = await self.query(ask.Wrap(kme, entitled))
        if isinstance(wrapped, ask.Refused):
            raise UnavailableError(f"{wrapped.reason.value}: {wrapped.detail}")
        refused = await self.peers[kme].carry(wrapped)
        if refused:
            raise UnavailableError(f"key manager {kme} does not take {len(refused)} of the keys")

    async def _spread(self, pending: Sequence[Callable[[], Awaitable[None]]]) -> None:
        for step in pending:
            await step()

    async def _spread_or_void(self, pending: Sequence[Callable[[], Awaitable[None]]], names: list[str]) -> None:
        try:
            await self._spread(pending)
        except (PeerError, UnavailableError) as error:
            await self._void(names, str(error))

    async def _borrow(self, call: ask.Reserve) -> bool:
        """Ask the peer for keys of its half; True when some came."""
        wanted = call.number * -(-call.size_bits // self.settings.keys.key_size)
        names = await self.query(ask.Borrow(call.peer, wanted + BORROW_AT_ONCE))
        if not names:
            return False
        try:
            ceded = await self.peers[call.peer].cede(names)
        except PeerError:
            return False
        await self.query(ask.Gain(call.peer, ceded))
        return bool(ceded)

    async def _void(self, names: list[str], why: str) -> None:
        log.warning("key.voided", keys=len(names), why=why)
        await self.query(ask.Void(names, why))
        self.woken.set()

    # -- towards sources and peers ----------------------------------------------------------------------------------

    async def deposit(self, block: ask.Deposit, announce: Mapping[str, Any] | None = None) -> ask.Offer | ask.Refused:
        """Take in a finished block; the key manager with the higher identifier offers it to the other one.

        Parameters
        ----------
        block
            One end of it.
        announce
            What the peer's source needs to find the other end; then this end makes the offer, whatever its identifier.

        Raises
        ------
        ConfigError
            If the block is simulated and this key manager can be reached from other machines.
        """
        self._keep_at_home(block)
        if announce is not None:
            self.announcements[block.peer, block.block] = announce
        answer: ask.Offer | ask.Refused = await self.query(block)
        log.info("key.deposited", peer=block.peer, block=block.block, refused=isinstance(answer, ask.Refused))
        self.woken.set()
        return answer

    def _keep_at_home(self, block: ask.Deposit) -> None:
        if block.simulated:
            self.settings.refuse_simulated()

    async def compare(self, peer: str, message: OfferMessage) -> bool | None:
        """Answer a peer's offer; a block that is not here yet is looked for where a source knows how."""
        verdict = await self.query(ask.Confirm(peer, message.offer()))
        if verdict is None and message.announce is not None and peer in self.finders:
            block = await self.finders[peer].find(message.block, message.announce)
            if block is not None:
                self._keep_at_home(block)
                await self.query(block)
                verdict = await self.query(ask.Confirm(peer, message.offer()))
        return None if verdict is None else bool(verdict)

    async def tend(self) -> None:
        """Offer blocks, tell of dead keys, expire old ones; for as long as the key manager lives."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TEND_S):  # not wait_for: it can swallow a cancellation
                    await self.woken.wait()
            self.woken.clear()
            for kme, peer in self.peers.items():
                try:
                    await self._tend_peer(kme, peer)
                except QstackError as error:
                    log.warning("link.down", peer=kme, error=str(error))
            with contextlib.suppress(QstackError):
                await self.query(ask.Sweep())

    async def _tend_peer(self, kme: str, peer: Peer) -> None:
        for offer in await self.query(ask.Unconfirmed(kme)):
            announce = self.announcements.get((kme, offer.block))
            if announce is None and self.settings.kme_id < kme:
                continue
            message = OfferMessage(block=offer.block, keys=offer.keys, tag=offer.tag.hex(), announce=announce)
            agreed = await peer.offer(message)
            if agreed is not None:
                await self.query(ask.Settle(kme, offer.block, agreed))
                self.announcements.pop((kme, offer.block), None)
                log.info("block.ready" if agreed else "block.voided", peer=kme, block=offer.block, keys=offer.keys)
        dead = await self.query(ask.Untold(kme))
        if dead:
            await peer.void(dead)
            await self.query(ask.Told(dead))

    def start(self) -> None:
        """Begin tending."""
        self._later(self.tend())

    def _later(self, work: Any) -> None:  # any coroutine
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def close(self) -> None:
        """Stop tending and hang up; the store is its owner's to close."""
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for peer in self.peers.values():
            await peer.close()
        self.thread.shutdown()
        self.disk.shutdown()
