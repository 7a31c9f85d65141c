"""The judge passes our own server, and finds a server that is broken on purpose."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from qstack.conformance import etsi014
from qstack.conformance.etsi014_subject import Identity, Subject
from qstack.integration.etsi014 import messages, service


def subject_of(sites, third="SAE_C"):
    def identity(sae):
        return Identity(sae, Path(sites.tls[sae].certificate), Path(sites.tls[sae].key))

    urls = sites.sites["kme-1"].url, sites.sites["kme-2"].url
    authority = sites.tls["SAE_A"].authority
    return Subject(*urls, authority, identity("SAE_A"), identity("SAE_B"), identity(third) if third else None)


async def judged(sites):
    await sites.fill(100)
    subject = subject_of(sites)
    verdicts = await asyncio.to_thread(etsi014.judge, subject)
    return subject, verdicts


def failures(verdicts):
    return {verdict.id for verdict in verdicts if verdict.verdict == "fail"}


@pytest.mark.requirement("QS-KY-016")
@pytest.mark.parametrize("certificate", ["required", "optional"])
def test_own_server_conforms(rig, certificate):
    subject, verdicts = rig(judged, client_certificate=certificate)
    assert [(v.id, v.detail) for v in verdicts if v.verdict not in {"pass", "unsupported"}] == []
    unsupported = {v.id for v in verdicts if v.verdict == "unsupported"}
    assert unsupported == ({"ETSI014-29"} if certificate == "required" else set())
    assert json.loads(etsi014.report_json(subject, verdicts))["passed"] is True


def broken_container(keys):
    data = original_container(keys)
    for key in data["keys"]:
        key["key_ID"] = key["key_ID"].replace("-", "")
    return data


original_container = messages.container


def lax_order(self, wanted):  # the signature it replaces
    return {}


@pytest.mark.parametrize(
    ("target", "name", "replacement", "must_fail"),
    [
        (service.messages, "container", broken_container, {"ETSI014-05", "ETSI014-19"}),
        (service.DeliveryService, "_options", lax_order, {"ETSI014-09"}),
        (messages, "NOT_FOUND", "no such key", {"ETSI014-21", "ETSI014-22"}),
        (messages, "_check_size", lambda *_: None, {"ETSI014-13"}),
    ],
)
def test_a_broken_server_is_caught(rig, monkeypatch, target, name, replacement, must_fail):
    monkeypatch.setattr(target, name, replacement)
    _, verdicts = rig(judged)
    assert must_fail <= failures(verdicts)
    assert not etsi014.passed(verdicts)


def test_a_silent_server_fails_first_and_the_rest_is_not_run(rig):
    async def scenario(sites):
        subject = subject_of(sites)
        await sites.sites["kme-1"].applications.close()
        return await asyncio.to_thread(etsi014.judge, subject)

    verdicts = rig(scenario)
    assert verdicts[0].verdict == "fail"
    assert {v.verdict for v in verdicts[1:]} == {"not run"}


def test_identifiers_are_unique_and_in_order():
    names = [case.id for case in etsi014.CASES]
    assert names == sorted(set(names))
