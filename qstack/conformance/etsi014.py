"""The judge of ETSI GS QKD 014 V1.1.1: tells anybody's key manager where it departs from the standard.

A MUST is what the standard says. A SHOULD is what deployed clients need and the standard leaves open. Each run takes about
forty keys from the subject.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from qstack.conformance.etsi014_subject import (
    FailedError,
    Subject,
    UnsupportedError,
    exchange,
    keys_of,
    message_of,
    refused,
)

NOT_FOUND = "one or more keys specified are not found on KME"
MANDATORY = "not all extension_mandatory parameters are supported"
OPTIONAL = "not all extension_optional request options handled"
MULTIPLE = "size shall be a multiple of 8"
TEXTS = ("source_KME_ID", "target_KME_ID", "master_SAE_ID", "slave_SAE_ID")
COUNTS = (
    *("key_size", "stored_key_count", "max_key_count", "max_key_per_request"),
    *("max_key_size", "min_key_size", "max_SAE_ID_count"),
)


@dataclass(frozen=True, slots=True)
class Case:
    """One requirement and the function that tries it: returns when met, raises when not."""

    id: str
    level: str
    text: str
    source: str
    check: Callable[[Subject], None]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a case.

    Parameters
    ----------
    id, level, text, source
        Of the requirement.
    verdict
        ``pass``, ``fail``, ``unsupported`` or ``not run``.
    detail
        What went wrong, in words.
    """

    id: str
    level: str
    text: str
    source: str
    verdict: str
    detail: str = ""


CASES: list[Case] = []


def case(
    number: int, level: str, text: str, source: str
) -> Callable[[Callable[[Subject], None]], Callable[[Subject], None]]:
    """Enter a function into the suite."""

    def enter(check: Callable[[Subject], None]) -> Callable[[Subject], None]:
        CASES.append(Case(f"ETSI014-{number:02d}", level, text, source, check))
        return check

    return enter


def judge(subject: Subject) -> list[Verdict]:
    """Run the suite, in order. A subject that does not answer at all fails the first case; the rest is not run."""
    verdicts: list[Verdict] = []
    for item in CASES:
        head = (item.id, item.level, item.text, item.source)
        if verdicts and verdicts[0].verdict == "fail":
            verdicts.append(Verdict(*head, "not run", "the subject does not answer Get status"))
            continue
        try:
            item.check(subject)
        except FailedError as failure:
            verdicts.append(Verdict(*head, "fail", str(failure)))
        except UnsupportedError as reason:
            verdicts.append(Verdict(*head, "unsupported", str(reason)))
        else:
            verdicts.append(Verdict(*head, "pass"))
    return verdicts


def passed(verdicts: list[Verdict]) -> bool:
    """Return whether every MUST was met."""
    return all(verdict.verdict in {"pass", "unsupported"} for verdict in verdicts if verdict.level == "MUST")


def report_json(subject: Subject, verdicts: list[Verdict]) -> str:
    """Return a report for machines."""
    totals: dict[str, int] = {}
    for verdict in verdicts:
        totals[verdict.verdict] = totals.get(verdict.verdict, 0) + 1
    data = {
        "suite": "etsi014",
        "standard": "ETSI GS QKD 014 V1.1.1",
        "url": subject.url,
        "slave_url": subject.slave_url,
    }
    return json.dumps(
        {**data, "passed": passed(verdicts), "totals": totals, "verdicts": [asdict(v) for v in verdicts]}, indent=2
    )


# -- Get status -------------------------------------------------------------------------------------------------------


@case(1, "MUST", "Get status answers 200 with every member of the status object, each of its type.", "6.1, table 8")
def _status_members(subject: Subject) -> None:
    data = subject.status()
    wrong = [name for name in TEXTS if not isinstance(data.get(name), str) or not data[name]]
    wrong += [name for name in COUNTS if type(data.get(name)) is not int]
    if wrong:
        raise FailedError(f"missing or of the wrong type: {', '.join(wrong)}")


@case(2, "MUST", "The status object names the caller as master and the SAE of the path as slave.", "6.1, table 8")
def _status_names(subject: Subject) -> None:
    data = subject.status()
    found = (data.get("master_SAE_ID"), data.get("slave_SAE_ID"))
    if found != (subject.master.sae, subject.slave.sae):
        raise FailedError(f"master and slave are {found}")


@case(3, "SHOULD", "The limits of the status object agree with each other and fit 31 bits.", "what clients check")
def _status_limits(subject: Subject) -> None:
    data = {name: value for name, value in subject.status().items() if name in COUNTS}
    ordered = 0 < data["min_key_size"] <= data["key_size"] <= data["max_key_size"]
    counted = 0 <= data["stored_key_count"] <= data["max_key_count"] and data["max_key_per_request"] > 0
    if not ordered or not counted or data["max_SAE_ID_count"] < 0 or max(data.values()) >= 2**31:
        raise FailedError(f"the limits contradict each other: {data}")


@case(4, "MUST", "Answers are JSON in UTF-8 and say so.", "5.1")
def _content_type(subject: Subject) -> None:
    answer = subject.ask(subject.master, "GET", subject.slave.sae, "status")
    if not answer.headers.get("content-type", "").lower().startswith("application/json"):
        raise FailedError(f"Content-Type is {answer.headers.get('content-type')!r}")


# -- Get key ----------------------------------------------------------------------------------------------------------


@case(5, "MUST", "Get key by GET without parameters gives one key of the default size.", "6.2")
def _get_default(subject: Subject) -> None:
    keys_of(subject.enc(), 1, subject.status()["key_size"])


@case(6, "MUST", "Get key by GET takes number and size from the query.", "5.2")
def _get_query(subject: Subject) -> None:
    size = subject.status()["key_size"]
    number = min(2, subject.status()["max_key_per_request"])
    keys_of(subject.enc(query=f"?number={number}&size={size}"), number, size)


@case(7, "MUST", "Get key by POST takes a key request object; every member is optional.", "6.2, table 9")
def _post(subject: Subject) -> None:
    size = subject.status()["key_size"]
    keys_of(subject.enc({}), 1, size)
    keys_of(subject.enc({"number": 1, "size": size}), 1, size)


@case(8, "MUST", "No key is handed out twice.", "6.2, post-condition")
def _distinct(subject: Subject) -> None:
    first, second = keys_of(subject.enc(), 1), keys_of(subject.enc(), 1)
    if set(first) & set(second) or set(first.values()) & set(second.values()):
        raise FailedError("two calls gave the same identifier or the same octets")


@case(9, "MUST", "A mandatory extension that is unknown is refused with the fixed string.", "6.2, table 10")
def _mandatory(subject: Subject) -> None:
    refused(subject.enc({"extension_mandatory": [{"qstack_no_such_extension": "x"}]}), 400, [MANDATORY])


@case(
    10, "MUST", "An optional extension that is unknown is ignored, or refused with the fixed string.", "6.2, table 10"
)
def _optional(subject: Subject) -> None:
    answer = subject.enc({"extension_optional": [{"qstack_no_such_extension": "x"}]})
    if answer.status == 200:
        keys_of(answer, 1)
    else:
        refused(answer, 400, [OPTIONAL])


@case(11, "MUST", "A size that is not a multiple of 8 is served, or refused with the fixed string.", "6.2, table 10")
def _multiple(subject: Subject) -> None:
    answer = subject.enc({"size": subject.status()["min_key_size"] + 1})
    if answer.status != 200:
        refused(answer, 400, [MULTIPLE])


def _refuses(*bodies: Callable[[dict[str, Any]], object]) -> Callable[[Subject], None]:
    def check(subject: Subject) -> None:
        for body in bodies:
            sent = body(subject.status())
            try:
                refused(subject.enc(sent), 400)
            except FailedError as failure:
                raise FailedError(f"{_brief(sent)}: {failure}") from None

    return check


def _brief(body: object) -> str:
    return repr(body) if len(repr(body)) < 80 else repr(body)[:77] + "..."


case(12, "MUST", "More keys than max_key_per_request are refused with 400.", "6.1, table 8")(
    _refuses(lambda s: {"number": s["max_key_per_request"] + 1})
)
case(13, "MUST", "A size outside min_key_size and max_key_size is refused with 400.", "6.1, table 8")(
    _refuses(lambda s: {"size": s["max_key_size"] + 8}, lambda s: {"size": max(0, s["min_key_size"] - 8)})
)
case(14, "SHOULD", "A number below 1 is refused with 400.", "left open")(
    _refuses(lambda _: {"number": 0}, lambda _: {"number": -1})
)
case(15, "MUST", "More additional slaves than max_SAE_ID_count are refused with 400.", "6.1, table 8")(
    _refuses(lambda s: {"additional_slave_SAE_IDs": [f"no-such-{n}" for n in range(s["max_SAE_ID_count"] + 1)]})
)
case(16, "MUST", "A body that is no JSON object, or has members of the wrong type, is refused with 400.", "6.2")(
    _refuses(
        lambda _: b"{",
        lambda _: b"[]",
        lambda _: b"\xff\xfe{}",
        lambda _: {"number": "many"},
        lambda _: {"size": 256.5},
        lambda _: {"extension_mandatory": "x"},
        lambda _: {"additional_slave_SAE_IDs": [1]},
    )
)


@case(17, "SHOULD", "Members that nobody specified are ignored.", "what clients send")
def _unknown_members(subject: Subject) -> None:
    keys_of(subject.enc({"number": 1, "qstack_unknown": {"a": [1]}}), 1)


@case(18, "MUST", "Get key for a slave that does not exist is refused with 400 or 401.", "6.2")
def _unknown_slave(subject: Subject) -> None:
    answer = subject.ask(subject.master, "GET", f"no-such-{uuid.uuid4()}", "enc_keys")
    if answer.status not in {400, 401, 404}:
        raise FailedError(f"answers {answer.status}")


# -- Get key with key IDs ---------------------------------------------------------------------------------------------


@case(19, "MUST", "The slave gets by identifier, with GET, the octets the master got.", "6.4")
def _same_get(subject: Subject) -> None:
    for name, octets in keys_of(subject.enc(), 1).items():
        if keys_of(subject.dec(query=f"?key_ID={name}"), 1) != {name: octets}:
            raise FailedError("master and slave have different octets")


@case(20, "MUST", "The slave gets several keys with one POST.", "6.4, table 12")
def _same_post(subject: Subject) -> None:
    number = min(3, subject.status()["max_key_per_request"])
    keys = keys_of(subject.enc({"number": number}), number)
    if keys_of(subject.dec({"key_IDs": [{"key_ID": name, "qstack_unknown": 1} for name in keys]}), number) != keys:
        raise FailedError("master and slave have different octets")


@case(21, "MUST", "A key is gone once the slave has it, however often it is asked for.", "6.4, post-condition")
def _once(subject: Subject) -> None:
    (name,) = keys_of(subject.enc(), 1)
    keys_of(subject.dec(query=f"?key_ID={name}"), 1)
    for _ in range(3):
        refused(subject.dec(query=f"?key_ID={name}"), 400, [NOT_FOUND])


@case(22, "MUST", "An identifier that was never given is refused with the fixed string.", "6.4, table 10")
def _never(subject: Subject) -> None:
    refused(subject.dec(query=f"?key_ID={uuid.uuid4()}"), 400, [NOT_FOUND])


@case(23, "SHOULD", "One identifier that cannot be served spoils the call, and no key of it is lost.", "left open")
def _all_or_none(subject: Subject) -> None:
    keys = keys_of(subject.enc(), 1)
    names = [*keys, str(uuid.uuid4())]
    refused(subject.dec({"key_IDs": [{"key_ID": name} for name in names]}), 400, [NOT_FOUND])
    if keys_of(subject.dec({"key_IDs": [{"key_ID": names[0]}]}), 1) != keys:
        raise FailedError("master and slave have different octets")


@case(24, "SHOULD", "Identifiers are compared without regard to case.", "RFC 4122, section 3")
def _upper_case(subject: Subject) -> None:
    keys = keys_of(subject.enc(), 1)
    if keys_of(subject.dec(query=f"?key_ID={next(iter(keys)).upper()}"), 1) != keys:
        raise FailedError("master and slave have different octets")


@case(25, "MUST", "An SAE that was not named when the key was made gets 401, and the key stays.", "6.4, table 10")
def _not_named(subject: Subject) -> None:
    if subject.third is None:
        raise UnsupportedError("no third SAE was given")
    keys = keys_of(subject.enc(), 1)
    answer = subject.dec(query=f"?key_ID={next(iter(keys))}", who=subject.third)
    if answer.status != 401:
        raise FailedError(f"answers {answer.status} where 401 was due")
    if keys_of(subject.dec(query=f"?key_ID={next(iter(keys))}"), 1) != keys:
        raise FailedError("the slave has other octets")


@case(26, "MUST", "With multicast every named slave gets the same key, once.", "annex B")
def _multicast(subject: Subject) -> None:
    if subject.third is None or subject.status()["max_SAE_ID_count"] < 1:
        raise UnsupportedError("no third SAE was given, or max_SAE_ID_count is 0")
    keys = keys_of(subject.enc({"additional_slave_SAE_IDs": [subject.third.sae]}), 1)
    query = f"?key_ID={next(iter(keys))}"
    for who in (subject.third, subject.slave):
        if keys_of(subject.dec(query=query, who=who), 1) != keys:
            raise FailedError(f"{who.sae} has other octets")
        refused(subject.dec(query=query, who=who), 400, [NOT_FOUND])


@case(
    27, "SHOULD", "Get key with key IDs refuses an empty list, no list, and one identifier given twice with 400.", "6.4"
)
def _bad_lists(subject: Subject) -> None:
    name = str(uuid.uuid4())
    bodies: list[object] = [{"key_IDs": []}, {}, {"key_IDs": [name]}, {"key_IDs": [{"key_ID": name}] * 2}]
    for body in bodies:
        refused(subject.dec(body), 400)


# -- Transport --------------------------------------------------------------------------------------------------------


@case(28, "MUST", "A client without a certificate gets no service: the handshake fails, or 401.", "5.1")
def _no_certificate(subject: Subject) -> None:
    try:
        answer = subject.ask(None, "GET", subject.slave.sae, "enc_keys")
    except FailedError:
        return
    if answer.status != 401:
        raise FailedError(f"answers {answer.status}")


@case(29, "SHOULD", "A 401 carries an error object: clients parse every body.", "what clients check")
def _json_401(subject: Subject) -> None:
    try:
        answer = subject.ask(None, "GET", subject.slave.sae, "enc_keys")
    except FailedError:
        raise UnsupportedError("the handshake needs a certificate") from None
    if message_of(answer) is None:
        raise FailedError("the body is no error object")


@case(30, "MUST", "TLS 1.1 and older are refused.", "5.1")
def _old_tls(subject: Subject) -> None:
    if subject.accepts_tls_1_1():
        raise FailedError("the server answers a ClientHello of TLS 1.1 with a ServerHello")


@case(31, "SHOULD", "A connection serves several requests.", "what clients do")
def _keep_alive(subject: Subject) -> None:
    connection = subject.connect(subject.url, subject.context(subject.master))
    try:
        for _ in range(3):
            exchange(connection, "GET", f"/api/v1/keys/{subject.slave.sae}/status")
            if connection.sock is None:
                raise FailedError("the server hung up after one request")
    finally:
        connection.close()
