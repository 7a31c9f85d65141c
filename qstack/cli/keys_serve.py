"""Put a store behind each key manager, a source behind each store, and let them run."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import logging
import signal
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import click
import structlog
from pydantic import ValidationError

from qstack.cli.keys_sources import SourceMaker
from qstack.core.errors import QstackError
from qstack.integration.etsi014.client import Etsi014Client, Southbound
from qstack.integration.kme.settings import KmeSettings, SouthboundSettings
from qstack.integration.site import Site
from qstack.integration.tls import client_context
from qstack.keys.store import Policy, SqlKeyStore, key_from, open_store
from qstack.keys.store.source import DroppedBlock, KeyBlock, TappableSource
from qstack.scenario.load import text_of
from qstack.scenario.problems import from_validation, refusal, report
from qstack.scenario.yaml import read
from qstack.services.key_delivery import Refused

LOW_WATER = 0.5
PAUSE_S = 1.0

log = structlog.get_logger("qstack.keys")


def read_file(path: Path) -> KmeSettings:
    """Return the settings of a YAML file; files it names are looked for beside it. Raises `ConfigError`."""
    data, origin = read(text_of(path), str(path))
    if not isinstance(data, dict):
        raise refusal(str(path), "must hold a mapping such as kme_id: kme-1")
    for tls in (data.get("tls"), *(item.get("tls") for item in _dicts(data.get("southbound")))):
        if isinstance(tls, dict):
            tls.update({name: path.parent / str(value) for name, value in tls.items()})
    place = data.get("store_key")
    if isinstance(place, dict) and isinstance(place.get("file"), str):
        place["file"] = path.parent / place["file"]
    store = data.get("store")
    if isinstance(store, str) and "://" not in store:
        data["store"] = str(path.parent / store)
    try:
        return KmeSettings.model_validate(data)
    except ValidationError as error:
        raise report(from_validation(error, KmeSettings), origin) from None


def _dicts(value: object) -> list[dict[str, Any]]:
    return [item for item in value.values() if isinstance(item, dict)] if isinstance(value, dict) else []


def policy_of(settings: KmeSettings) -> Policy:
    """Return what the store of a key manager allows."""
    keys = settings.keys
    return Policy(
        site=settings.kme_id,
        server=settings.server,
        key_bits=keys.key_size,
        ttl_s=keys.ttl_s,
        capacity=keys.max_key_count,
        quota_bits=keys.quota_bits,
        window_s=keys.window_s,
    )


def open_for(settings: KmeSettings) -> SqlKeyStore:
    """Open the store of a key manager."""
    place = settings.store_key
    secret = key_from(place.file, place.environment) if place else None
    return open_store(settings.store, policy_of(settings), secret=secret)


@contextlib.asynccontextmanager
async def running(all_settings: Sequence[KmeSettings]) -> Any:  # an async iterator of dict
    """Run key managers; yields them by identifier."""
    async with contextlib.AsyncExitStack() as stack:
        sites: dict[str, Site] = {}
        for settings in all_settings:
            store = open_for(settings)
            stack.callback(store.close)
            sites[settings.kme_id] = await stack.enter_async_context(Site(settings, store))
        # What is loaded by now stays: a full collection that walks through it makes every waiting client late.
        gc.collect()
        gc.freeze()
        yield sites


async def deposited(block: KeyBlock, sites: tuple[Site, Site], names: tuple[str, str]) -> str:
    """Give both key managers their end of a block; return why they do not take it, if they do not."""
    why = ""
    for site, deposit in zip(sites, block.deposits(names), strict=True):
        answer = await site.manager.deposit(deposit)
        if isinstance(answer, Refused):
            why = f"{answer.reason.value}: {answer.detail}"
    return why


async def join(source: TappableSource, first: Site, second: Site, tell: Callable[[str], None]) -> None:
    """Carry the blocks of a source to the two ends of a link, while there is room."""
    names = (first.settings.kme_id, second.settings.kme_id)
    room = first.settings.keys.max_key_count * LOW_WATER
    blocks = source.blocks()
    while True:
        while await first.manager.depth(names[1], coming=True) < room:
            block = await asyncio.to_thread(next, blocks, None)
            if block is None:
                return
            if source.report is not None:
                tell(f"block {block.block}: {source.report}")
            if isinstance(block, DroppedBlock):
                tell(f"block {block.block} dropped at both ends: {block.why}")
                break
            if why := await deposited(block, (first, second), names):
                tell(f"block {block.block} passed, but kept by no key manager: {why}")
                break
        await asyncio.sleep(PAUSE_S)


async def pull(site: Site, peer: str, settings: SouthboundSettings) -> None:
    """Feed a pool from a device below, as the end that starts or as the end that follows."""
    tls = settings.tls
    context = client_context(tls.certificate, tls.key, tls.authority)
    async with Etsi014Client(settings.url, context) as client:
        device = Southbound(client, peer, settings.other_sae, settings.number, settings.size)
        site.manager.finders[peer] = device
        while True:
            room = site.settings.keys.max_key_count * LOW_WATER
            try:
                while settings.pulls and await site.manager.depth(peer, coming=True) < room:
                    block, announce = await device.pull()
                    await site.manager.deposit(block, announce)
            except QstackError as error:
                log.warning("southbound.failed", peer=peer, error=str(error))
            await asyncio.sleep(PAUSE_S)


def serve_files(paths: Sequence[Path], maker: SourceMaker | None, *, seconds: float | None) -> None:
    """Serve until ^C, SIGTERM or the given time."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    asyncio.run(_serve([read_file(path) for path in paths], maker, seconds=seconds))


async def _serve(all_settings: Sequence[KmeSettings], maker: SourceMaker | None, *, seconds: float | None) -> None:
    if maker:
        for settings in all_settings:
            settings.refuse_simulated()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with running(all_settings) as sites:
        work: list[Coroutine[Any, Any, None]] = []
        for site in sites.values():
            click.echo(f"{site.settings.kme_id}  applications {site.url}  key managers port {site.managers.port}")
            work += [pull(site, peer, settings) for peer, settings in site.settings.southbound.items()]
        for first, second in itertools.combinations(sites.values(), 2) if maker else ():
            names = (first.settings.kme_id, second.settings.kme_id)
            assert maker is not None
            work.append(join(maker(names), first, second, click.echo))
        stopped = asyncio.create_task(asyncio.wait_for(stop.wait(), seconds))
        pending = {stopped, *(asyncio.create_task(one) for one in work)}
        try:
            while not stopped.done():
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in done - {stopped}:
                    task.result()  # a source that has no more is no reason to stop; one that failed is
        finally:
            for task in pending:
                task.cancel()
            await asyncio.gather(stopped, *pending, return_exceptions=True)
