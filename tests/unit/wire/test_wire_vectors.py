"""Golden vectors: the bytes of the documents, in both directions."""

import json
from importlib.resources import files

import pytest

from qstack.core.errors import WireError
from qstack.wire import decode, decode_as, decode_service, encode
from qstack.wire.compact import CompactLink, CompactOutcome, CompactTrack
from qstack.wire.kinds import UNIT, fidelity_down, fidelity_up
from qstack.wire.link import Add, LinkExpire
from qstack.wire.network import Expire, Forward, Track
from qstack.wire.physical import Gen, Reply
from qstack.wire.service import (
    LINK,
    MEASURE,
    AccessPoint,
    LinkAck,
    LinkCreate,
    LinkErr,
    LinkOkKeep,
    LinkOkMeasure,
    LinkRecv,
    LinkStopRecv,
)

DATA = json.loads((files("qstack") / "data" / "wire" / "vectors.json").read_text(encoding="utf-8"))
VECTORS = {vector["name"]: vector for vector in DATA["vectors"]}
REFUSED = {vector["name"]: bytes.fromhex(vector["hex"]) for vector in DATA["negative_vectors"]}
GOODNESS = 57015 / UNIT

PDUS = {
    "MHP_GEN": Gen(node=1, cycle=123456789, aid=17, lane=0, row=1),
    "MHP_REPLY": Reply(outcome=1, error=0, bell=2, sequence=1000, aid=17, peer_aid=17, cycle=123456789),
    "DQP_ADD": Add(
        cseq=5,
        ack=4,
        aid=17,
        keep=True,
        start=200,
        deadline=90000,
        min_fidelity=0.8,
        purpose=0x1234,
        create_id=42,
        number=10,
        priority=3,
        bases=(),
        virtual_finish=12345,
        cycles_per_pair=14286,
    ),
    "EGP_EXPIRE": LinkExpire(aid=17, create_id=42, origin=1, low=1000, high=1003),
    "QNP_FORWARD": Forward(circuit=9, request=3, head=1, tail=4, number=100, min_fidelity=0.8, rate=1500),
    "QNP_TRACK": Track(
        circuit=9, request=3, origin=1, origin_pair=7, link_node=2, link_pair=8, bell=2, epoch=1, estimate=0
    ),
    "QNP_EXPIRE": Expire(circuit=9, origin=1, origin_pair=7, reason=3),
}
KEPT = {
    "create_id": 42,
    "qubit": 5,
    "remote": True,
    "sequence": 1000,
    "purpose": 0x1234,
    "remote_node": 1,
    "goodness": GOODNESS,
    "time_of_goodness": 300,
}
SERVICE = {
    "CREATE_K": LinkCreate(2, 0.8, 500 * 10**9, 0x1234, 10, priority=3, atomic=True),
    "CREATE_M": LinkCreate(
        2,
        0.8,
        5 * 10**12,
        7,
        255,
        priority=1,
        kind=MEASURE,
        consecutive=True,
        local_choice=1,
        remote_choice=1,
        local_share_1=128,
        remote_share_1=128,
    ),
    "ACK": LinkAck(42),
    "OK_K": LinkOkKeep(**KEPT, bell=-1),
    "OK_K_BELL": LinkOkKeep(**KEPT, bell=2),
    "OK_M": LinkOkMeasure(
        create_id=42,
        outcome=1,
        remote=False,
        basis=1,
        bell=-1,
        sequence=1000,
        purpose=7,
        remote_node=1,
        goodness=GOODNESS,
    ),
    "ERR_EXPIRE_RANGE": LinkErr(create_id=42, error=5, ranged=True, low=1000, high=1003, origin=1),
    "ERR_TIMEOUT": LinkErr(create_id=42, error=6, ranged=False, low=0, high=0, origin=1),
    "RECV": LinkRecv(7, 2),
    "STOP_RECV": LinkStopRecv(7, 2),
}
COMPACT = {
    "P4_EGP": CompactLink(257, 7, 2),
    "P4_QNP": CompactTrack(9, 7, 3),
    "P4_BSM": CompactOutcome(station=9, sequence=33, success=True, bell=1),
}


@pytest.mark.requirement("QS-WI-003")
@pytest.mark.parametrize("name", PDUS)
def test_pdu_is_byte_exact(name):
    data = bytes.fromhex(VECTORS[name]["hex"])
    assert encode(PDUS[name]) == data
    assert decode(data) == PDUS[name]


@pytest.mark.requirement("QS-WI-003")
@pytest.mark.parametrize("name", SERVICE)
def test_service_message_is_byte_exact(name):
    data = bytes.fromhex(VECTORS[name]["hex"])
    up = not name.startswith(("CREATE", "RECV", "STOP"))
    assert encode(SERVICE[name]) == data
    assert decode_service(data, up=up) == SERVICE[name]


@pytest.mark.requirement("QS-WI-003")
@pytest.mark.parametrize("name", COMPACT)
def test_compact_header_is_byte_exact(name):
    data = bytes.fromhex(VECTORS[name]["hex"])
    assert encode(COMPACT[name]) == data
    assert decode_as(type(COMPACT[name]), data) == COMPACT[name]


def test_compact_frame_is_two_headers():
    frame = bytes.fromhex(VECTORS["P4_QNP_FRAME"]["hex"])
    assert encode(COMPACT["P4_EGP"]) + encode(COMPACT["P4_QNP"]) == frame


def test_captured_service_message_is_pseudo_header_and_draft_bytes():
    data = bytes.fromhex(VECTORS["SAP_CREATE_K"]["hex"])
    assert encode(AccessPoint(LINK, up=False, node=1)) + encode(SERVICE["CREATE_K"]) == data


def test_every_vector_but_those_of_the_host_interface_is_checked():
    others = {"SAP_CREATE_K", "P4_QNP_FRAME"}
    wanted = {name for name, vector in VECTORS.items() if vector["plane"] != "HOST"}
    assert wanted == PDUS.keys() | SERVICE.keys() | COMPACT.keys() | others


@pytest.mark.requirement("QS-L2-025")
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("CREATE_TRUNCATED", r"CREATE has 24 bytes, here are 23 \(at byte 23\)"),
        ("CREATE_TU_UNUSED", r"CREATE.max_time: time unit 3 is unused \(at byte 6\)"),
        ("CREATE_NUMBER_ZERO", r"CREATE.number: must be at least 1 \(at byte 10\)"),
    ],
)
def test_malformed_vector_is_refused(name, sentence):
    with pytest.raises(WireError, match=sentence):
        decode_service(REFUSED[name], up=False)


def test_every_malformed_vector_is_checked():
    assert REFUSED.keys() == {"CREATE_TRUNCATED", "CREATE_TU_UNUSED", "CREATE_NUMBER_ZERO"}


@pytest.mark.requirement("QS-WI-011")
def test_fidelities_round_as_the_table_says():
    table = next(t for t in DATA["tables"] if t["name"] == "FIDELITY_U16")
    for row in table["examples"]:
        value = float(row["fidelity"])
        assert (fidelity_down(value), fidelity_up(value)) == (row["down"], row["up"]), row
