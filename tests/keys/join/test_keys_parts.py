"""Parts of key links, schemes and attackers by name: installed ones and those of a vendor's own file."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner

from qstack import api
from qstack.cli.keys import command
from qstack.cli.keys_serve import deposited
from qstack.cli.keys_sources import Wanted, source_maker
from qstack.core.errors import ConfigError, PluginError
from qstack.hardware.parts import PlainFibre
from qstack.keys.models import Receiver, Setup, Source
from qstack.keys.store.source import DroppedBlock, KeyBlock
from qstack.plugin.discovery import Plugin
from qstack.plugin.hooks import hookimpl
from qstack.plugin.manager import Manager
from qstack.scenario.schema import dump
from qstack.services.key_delivery import Reason, Refused
from qstack.services.secret import Secret
from qstack.study.keys_cases import cases
from qstack.study.keys_link import read_link
from qstack.study.keys_plan import load_plan

VENDOR = """\
from typing import ClassVar

import qstack
from qstack.keys.eve.resend import InterceptResend
from qstack.keys.reconcile.cascade import Cascade

QSTACK_API = (1, 0)


class Slow(qstack.DetectorPart):
    kind: ClassVar[str] = "slow-detector"
    best: float = 0.5

    def gates(self, rate_hz):
        if rate_hz > 2e8:
            raise qstack.PhysicsError("a slow detector follows 200 MHz at most")
        return qstack.Gates(efficiency=self.best, dark_rate_hz=20, optical_error=0.01)


class Air(qstack.ChannelPart):
    kind: ClassVar[str] = "air"

    def passage(self, length_km):
        return qstack.Passage(loss_db=3 + 0.1 * length_km, light_hz=100)


class Quiet:
    name = "a guest without closed forms"
    breaks = None
    blinds = False

    def tap(self, light, setup, generator):
        return InterceptResend(share=0).tap(light, setup, generator)


@qstack.hookimpl
def qstack_hardware():
    return [Slow, Slow(name="slow-1", best=0.6), Air, Air(name="air-1")]


@qstack.hookimpl
def qstack_reconciliation():
    return [qstack.Offer("ours", lambda options: Cascade("yan"))]


@qstack.hookimpl
def qstack_eavesdroppers():
    return [qstack.Offer("quiet-guest", lambda options: Quiet())]
"""
PLAN = """\
name: two offices
network:
  nodes: [{id: A}, {id: B}]
  links: [{a: A, b: B, length: 10 km}]
bb84: BB84
demands:
  - {name: mail, class: cluster, from: A, to: B}
incidents:
  - {name: somebody comes, tap: [[A, B]], INCIDENT}
"""


@pytest.fixture
def vendor(tmp_path: Path) -> Path:
    (tmp_path / "qstackfile.py").write_text(VENDOR, encoding="utf-8")
    return tmp_path


def planned(folder: Path, bb84: str, incident: str = "share: 0.5"):
    (folder / "plan.yaml").write_text(PLAN.replace("BB84", bb84).replace("INCIDENT", incident), encoding="utf-8")
    return cases(load_plan(folder / "plan.yaml", api.manager(folder)))


def test_without_a_word_a_link_is_the_one_it_always_was():
    light = Source(intensities=(0.3, 0.09, 0.0), probabilities=(0.2, 0.48, 0.32), p_key=0.8)
    before = Setup(source=light, receiver=Receiver(p_key=0.8))
    now = read_link(api.manager()).setup()
    assert now.source == before.source
    assert now.receiver == before.receiver
    assert now.transmittance == before.transmittance


def test_a_vendors_parts_scheme_and_guest_make_a_plan(vendor):
    named, inline = (
        planned(vendor, f"{{channel: air-1, detector: {detector}, reconciliation: ours}}")[0].yields[0]
        for detector in ("slow-1", "{kind: slow-detector, best: 0.6}")
    )
    assert named.rate == inline.rate > 1000
    worse = planned(vendor, "{channel: air-1, detector: {like: slow-1, best: 0.3}, reconciliation: ours}")[0].yields[0]
    assert 0 < worse.rate < named.rate
    faster = planned(vendor, "{channel: air-1, detector: slow-1, reconciliation: ldpc}")[0].yields[0]
    assert faster.rate > named.rate  # one direction leaks where Cascade counts two


def test_stray_light_counts_as_dark_counts_and_two_turns_of_a_photon_are_none(vendor):
    (vendor / "link.yaml").write_text(
        "channel: air-1\ndetector: slow-1\nsource: {like: decoy-80mhz, optical_error: 2%}\n"
    )
    receiver = read_link(api.manager(vendor), vendor / "link.yaml").setup().receiver
    assert receiver.dark_rate_hz == 20 + 100 * 0.6 / 2
    assert receiver.optical_error == pytest.approx(0.02 + 0.01 - 2 * 0.02 * 0.01)


@pytest.mark.parametrize(
    ("bb84", "incident", "message"),
    [
        ("{detector: slow-2}", "share: 1", "plan.yaml:5 bb84.detector  'slow-2' is not a detector."),
        ("{detector: slow-2}", "share: 1", "Did you mean 'slow-1'?"),
        ("{detector: {like: slow-1, bets: 1}}", "share: 1", "Did you mean 'best'?"),
        ("{detector: {kind: slow}}", "share: 1", "'slow' is not a kind of detector."),
        ("{detector: {}}", "share: 1", "expected the name of a detector, or a mapping with 'like'"),
        ("{detector: slow-1, rate: 1 GHz}", "share: 1", "a slow detector follows 200 MHz at most"),
        ("{detector: slow-1, reconciliation: our}", "share: 1", "Did you mean 'ours'?"),
        ("{}", "attack: quiet-guest", "'quiet-guest' has no closed form (`mean`), and a plan samples nothing"),
        ("{}", "attack: blindng", "Did you mean 'blinding'?"),
        ("{}", "attack: blinding, share: 0.5", "write the attack's own options"),
    ],
)
def test_what_cannot_be_is_said_with_its_place(vendor, bb84, incident, message):
    with pytest.raises(ConfigError) as refusal:
        planned(vendor, bb84, incident)
    assert message in str(refusal.value)


ATTACKS = ["intercept-resend", "breidbart", "photon-number-splitting", "man-in-the-middle", "blinding"]


@pytest.mark.requirement("QS-KY-392")
@pytest.mark.requirement("QS-KY-393")
@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("self_test", [0, 0.01])
def test_a_plan_says_of_every_attack_what_she_learned_and_what_fell(vendor, name, self_test):
    case = planned(vendor, f"{{self_test: {self_test}}}", f"attack: {name}")[1]
    link, served = case.yields[0], case.served[0]
    eve = link.eve
    assert f"{eve.learned:.0f} of {eve.key_bits} bits" in str(eve)
    fooled = name == "blinding" and not self_test
    assert eve.secure == (not fooled)
    if fooled:
        assert link.rate > 0
        assert "The key is hers, because this does not hold: the detectors answer to single photons" in str(eve)
        assert "Eve has the key: the detectors answer to single photons" in served.event
    else:
        assert eve.length <= max(0, eve.key_bits - eve.learned - eve.leak)
        assert "Eve has the key" not in served.event
    caught = {
        "intercept-resend": "more than was announced",
        "breidbart": "more than was announced",
        "photon-number-splitting": "fewer clicks of single photons",
        "man-in-the-middle": "a message was changed",
    }
    assert fooled or caught.get(name, "does not see its own test light") in link.why


def test_a_little_interception_is_priced():
    quiet, tapped = (
        source_maker("bb84", Wanted(settings=("block=150000", *more), eve=bool(more)))(("a", "b"))
        for more in ((), ("attack.share=0.002", "reconciliation=ldpc"))
    )
    honest, priced = next(quiet.blocks()), next(tapped.blocks())
    assert quiet.report is None
    assert isinstance(honest, KeyBlock)
    assert isinstance(priced, KeyBlock)
    report = tapped.report
    assert report.secure
    assert 0 < report.learned < 500
    assert report.length <= report.key_bits - report.learned - report.leak
    assert "reconciliation" not in str(report)


@pytest.mark.parametrize("reconciliation", ["cascade", "{use: cascade, variant: original}", "ldpc"])
def test_a_link_with_one_decoy_and_dead_time_makes_keys_under_every_scheme(tmp_path, reconciliation):
    (tmp_path / "link.yaml").write_text(
        "source: {kind: decoy-pulses, rate: 100 MHz, intensities: [0.3, 0.09], probabilities: [0.4, 0.6]}\n"
        f"detector: {{like: cold-80, dead_time: 20 ns}}\nreconciliation: {reconciliation}\n"
    )
    source = source_maker("bb84", Wanted(link=tmp_path / "link.yaml"))(("a", "b"))
    block = next(source.blocks())
    assert isinstance(block, KeyBlock), block.why
    assert block.ends[0] == block.ends[1]
    assert block.ledger["proof"].startswith("one-decoy")


@pytest.mark.requirement("QS-KY-392")
@pytest.mark.requirement("QS-KY-393")
@pytest.mark.parametrize("name", ["photon-number-splitting", "man-in-the-middle", "blinding"])
def test_a_served_source_tells_what_its_attacker_learned(name):
    for self_test in (0, 0.01) if name == "blinding" else (0,):
        wanted = Wanted(settings=("block=100000", f"self_test={self_test}"), attack=name, eve=True)
        source = source_maker("bb84", wanted)(("a", "b"))
        block = next(source.blocks())
        fooled = name == "blinding" and not self_test
        assert isinstance(block, KeyBlock if fooled else DroppedBlock)
        assert source.report.secure == (not fooled)
        assert (source.report.broken is not None) == (name == "blinding")
        if name != "man-in-the-middle":
            assert source.report.learned > 1000
        assert "report" not in block.ledger


FLOW = """\
name: two offices
network:
  nodes: [A, B]
  links: [{a: A, b: B, length: 10 km}]
  hardware: {all: textbook}
flows:
  - {name: key, from: A, to: B, number: 40, APP}
run: {until: 60 s}
"""


@pytest.mark.requirement("QS-KY-463")
@pytest.mark.parametrize(
    ("app", "more", "scheme"),
    [
        ("app: bbm92", {}, "ldpc"),
        ("app: {use: bbm92, reconciliation: {use: cascade, variant: original}}", {}, "cascade-original"),
        ("app: {use: bbm92, reconciliation: ours}", {}, "cascade-yan"),
        ("app: {use: bbm92, reconciliation: ours}", {"reconciliation": "cascade"}, "cascade-patient"),
        ("app: {use: bbm92, reconciliation: ours}", {"settings": ("reconciliation=ldpc",)}, "ldpc"),
    ],
)
def test_a_flow_names_its_reconciliation_in_the_scenario(vendor, app, more, scheme, monkeypatch):
    path = vendor / "flow.yaml"
    path.write_text(FLOW.replace("APP", app), encoding="utf-8")
    source = source_maker("bbm92", Wanted(scenario=path, **more))(("kme-1", "kme-2"))
    assert source.scheme().name == scheme
    assert next(source.blocks()).why.startswith("no secret bit of"), "forty pairs are no key, under any scheme"
    monkeypatch.chdir(vendor)
    written = dump(api.load(path).plan.scenario)
    assert dump(api.load(written).plan.scenario) == written, "what a manifest holds says the same again"


@pytest.mark.parametrize(
    ("app", "words"),
    [
        (
            "app: {use: bbm92, reconciliation: our}",
            "flow.yaml:7 flows.0.app.reconciliation  'our' is not a reconciliation scheme.",
        ),
        ("app: {use: bbm92, reconcilation: ours}", "Did you mean 'reconciliation'?"),
        ("app: {use: bbm92, reconciliation: {use: ldpc, sweeps: 0}}", "reconciliation.sweeps"),
        ("app: {use: pairs, reconciliation: ldpc}", "reconciliation"),
    ],
)
def test_a_scheme_that_a_flow_cannot_have_is_named_with_its_line(vendor, app, words):
    path = vendor / "flow.yaml"
    path.write_text(FLOW.replace("APP", app), encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        api.load(path)
    assert words in str(refused.value)


def test_names_that_are_not_installed_are_refused_by_the_commands():
    for arguments in (
        ["demo", "--set", "detector=dioed-20"],
        ["demo", "--attack", "blindng"],
        ["demo", "--reconciliation", "cascad"],
        ["attack", "breidbart", "--reconciliation", "cascad"],
    ):
        said = CliRunner().invoke(command, arguments)
        assert said.exit_code == 2, arguments
        assert "Did you mean" in said.output
    said = CliRunner().invoke(command, ["serve", "--eve", __file__])
    assert said.exit_code == 2
    assert "go with --simulate" in said.output


def test_a_block_that_no_key_manager_keeps_is_said():
    class Site:
        def __init__(self, answer):
            self.manager, self.answer = self, answer

        async def deposit(self, call):
            return self.answer

    short = Refused(Reason.SHORT, "56 octets; at least 64 are needed")
    block = KeyBlock("b", (Secret(bytes(56)), Secret(bytes(56))), {})
    for answers, why in (((None, short), f"{Reason.SHORT.value}: {short.detail}"), ((None, None), "")):
        assert asyncio.run(deposited(block, tuple(map(Site, answers)), ("a", "b"))) == why


def test_two_plugins_cannot_offer_a_part_under_one_name():
    def module(name):
        made = ModuleType(name)
        made.QSTACK_API = (1, 0)
        made.qstack_hardware = hookimpl(
            lambda: [PlainFibre(name="pipe", attenuation="1 dB/km")], specname="qstack_hardware"
        )
        return Plugin(name, "1", made)

    with pytest.raises(PluginError, match="'pipe' is offered as a channel by both 'one' and 'two'"):
        Manager([module("one"), module("two")])
    assert Manager([module("one")]).offers("hardware", "channel")["pipe"].passage(3).loss_db == 3
