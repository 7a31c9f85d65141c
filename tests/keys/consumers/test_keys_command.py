"""``qstack keys``: the demonstration, the server, the audit, and how they take bad input."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

pytest.importorskip("aiohttp")
pytest.importorskip("cryptography")

from qstack.cli.keys import command
from qstack.cli.keys_serve import open_for, read_file
from qstack.integration.certificates import make_certificates
from qstack.integration.tls import client_context

ROOT = str(Path(__file__).parents[3])
SITE = """\
kme_id: {me}
store: {me}.db
tls: {{certificate: {me}.pem, key: {me}.key, authority: ca.pem}}
listen: {{host: {host}}}
saes: {{SAE_A: kme-1, SAE_B: kme-2}}
peers: {{{other}: "https://localhost:{far}"}}
peer_listen: {{port: {near}}}
"""


def run(*arguments):
    return CliRunner().invoke(command, [str(one) for one in arguments])


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
@pytest.mark.parametrize("source", ["test", "bb84"])
def test_the_demonstration_shows_what_it_promises(source):
    begun = time.process_time()
    result = run("demo", "--source", source)
    text = result.output
    assert result.exit_code == 0, text
    assert time.process_time() - begun < 45
    quiet, loud = text.split("-- Eve tunes in")
    assert "openssl s_client: Protocol version: TLSv1.3" in quiet
    assert loud.count("Block dropped at both ends") == 2
    assert ("decoy-state BB84" in text) == (source == "bb84")
    strict, mild = loud.split("mode EitherQkdOrPqcRequired")
    assert "kme-1 answers 503" in strict
    assert "Session refused. QkdAndPqcRequired: needs pqc and qkd, has pqc; the session is refused\n" in strict
    assert "TLS session on pqc," not in strict
    assert "TLS session on pqc" in mild
    assert "Session fell back: without qkd, as EitherQkdOrPqcRequired allows" in mild
    names = re.findall(r"PSK identity (\S+)", text)
    assert len(names) == len(set(names)) >= 3
    assert "PRIVATE" not in text
    assert "BEGIN" not in text


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
@pytest.mark.parametrize(
    ("mode", "end"), [("AtLeastQkdRequired", "Session refused"), ("AtLeastPqcRequired", "Session fell back")]
)
def test_each_mode_ends_as_it_must(mode, end):
    result = run("demo", "--source", "test", "--mode", mode)
    assert result.exit_code == 0
    assert result.output.rstrip().splitlines()[-1].startswith(end)


def two_files(directory, free, host="127.0.0.1", extra=""):
    make_certificates(directory, ["kme-1", "kme-2", "SAE_A", "SAE_B"])
    files = []
    for n, (me, other) in enumerate((("kme-1", "kme-2"), ("kme-2", "kme-1"))):
        text = SITE.format(me=me, other=other, near=free[n], far=free[1 - n], host=host)
        (directory / f"{me}.yaml").write_text(text + extra)
        files.append(directory / f"{me}.yaml")
    return files


def test_the_server_serves_and_stops(tmp_path, programs):
    files = two_files(tmp_path, [programs.port(), programs.port()])
    code = "from qstack.cli.keys import command; command()"
    arguments = [sys.executable, "-c", code, "serve", "--simulate", "test", "--for", "30", *map(str, files)]
    process = subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, "PYTHONPATH": ROOT}, text=True
    )
    try:
        urls = [re.search(r"https://\S+", process.stdout.readline())[0] for _ in files]
        answers = []
        for url, path, sae in ((urls[0], "SAE_B/enc_keys", "SAE_A"), (urls[1], "SAE_A/dec_keys?key_ID={}", "SAE_B")):
            context = client_context(tmp_path / f"{sae}.pem", tmp_path / f"{sae}.key", tmp_path / "ca.pem")
            name = answers[0]["keys"][0]["key_ID"] if answers else ""
            for _ in range(50):
                try:
                    request = f"{url}/api/v1/keys/{path.format(name)}"
                    with urllib.request.urlopen(request, context=context, timeout=5) as answer:
                        answers.append(json.load(answer))
                    break
                except urllib.error.HTTPError as error:
                    error.close()
                    time.sleep(0.1)  # the first block is on its way
        assert answers[0]["keys"] == answers[1]["keys"]
        assert answers[0]["keys"][0]["key_extension"] == {"qstack_simulated": True}
    finally:
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=10)
    assert process.returncode == 0, out
    assert answers[0]["keys"][0]["key"] not in out
    audit = run("audit", tmp_path / "kme-1.db")
    head = re.search(r"Head: (\d+:[0-9a-f]{64})", audit.output)[1]
    assert run("audit", tmp_path / "kme-1.db", "--expect", head).exit_code == 0
    wrong = run("audit", tmp_path / "kme-1.db", "--expect", head[:-1] + ("0" if head[-1] != "0" else "1"))
    assert wrong.exit_code == 1
    assert "the past was rewritten" in wrong.output


def test_simulated_keys_are_not_served_off_loopback_without_leave(tmp_path, programs):
    files = two_files(tmp_path, [programs.port(), programs.port()], host="0.0.0.0")
    result = run("serve", "--simulate", "test", "--for", "1", *files)
    assert result.exit_code == 2, result.output
    assert "simulated keys protect nothing, and '0.0.0.0' can be reached" in result.output


def test_with_leave_they_are(tmp_path, programs):
    extra = "allow_simulated_off_loopback: true\n"
    files = two_files(tmp_path, [programs.port(), programs.port()], host="0.0.0.0", extra=extra)
    result = run("serve", "--simulate", "test", "--for", "0.3", *files)
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kme_id: x\nsaes: [", "site.yaml:2"),
        ("- a\n", "must hold a mapping such as kme_id: kme-1"),
        ("kme_id: x\n", "store  is missing."),
        ("kme_id: x\nstor: y\n", "site.yaml:2 stor  is not a key here."),
        ("kme_id: x\nstor: y\n", "Did you mean 'store'?"),
        ("kme_id: x\nkeys:\n  max_key_size: 100\n", "site.yaml:3 keys.max_key_size  '100': "),
        ("kme_id: x\nkme_id: y\n", "site.yaml:2"),
        ("kme_id: x\nlisten: {port: 70000}\n", "site.yaml:2 listen.port  '70000': must be at most 65535."),
        ("kme_id: x\nclient_certificate: optionl\n", "Did you mean 'optional'?"),
    ],
)
def test_settings_files_that_cannot_be(tmp_path, text, message):
    (tmp_path / "site.yaml").write_text(text)
    result = run("serve", tmp_path / "site.yaml")
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["audit", "/nowhere.db"], "no such file"),
        (["audit", "mysql://user:sesame@x"], "key store: unknown scheme 'mysql'"),
        (["demo", "--mode", "Whatever"], "QkdAndPqcRequired"),
        (["serve", "/nowhere.yaml"], "does not exist"),
    ],
)
def test_bad_words_are_named(arguments, message):
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert "sesame" not in result.output


def test_a_store_is_given_another_key_encryption_key(tmp_path, monkeypatch):
    """As an operator does it: a store of plain keys, then one key-encryption key after the other, then the server again."""
    (file, _) = two_files(tmp_path, [1, 2])
    text = file.read_text()
    open_for(read_file(file)).close()
    for n, name in enumerate(("first", "second")):
        (tmp_path / name).write_text(f"{n:064x}")
        (tmp_path / name).chmod(0o600)
        result = run("rekey", file, "--file", tmp_path / name)
        assert result.exit_code == 0, result.output
        told, place = result.output.splitlines()
        assert told == f"kme-1: 0 keys encrypted anew. Now name the new key-encryption key in {file}:"
        assert run("serve", "--for", "0.1", file).exit_code == 2, "the settings still name the old one"
        file.write_text(f"{text}{place}\n")
        assert run("serve", "--for", "0.1", file).exit_code == 0
        assert f"{n:064x}" not in result.output
    again = run("rekey", file, "--file", tmp_path / "second")
    assert again.output == "kme-1: the store lies under this key-encryption key already; nothing was changed.\n"
    monkeypatch.setenv("KEK", "ab" * 32)
    result = run("rekey", file, "--environment", "KEK")
    assert result.output.splitlines()[1] == "store_key: {environment: KEK}"
    with closing(sqlite3.connect(tmp_path / "kme-1.db")) as store:
        assert "rekeyed" in store.execute("SELECT max(record) FROM audit").fetchone()[0]
    assert run("audit", tmp_path / "kme-1.db").exit_code == 0


def test_a_rekeying_that_cannot_be_is_named(tmp_path, monkeypatch):
    (file, _) = two_files(tmp_path, [1, 2])
    monkeypatch.setenv("KEK", "ab" * 32)
    for arguments, code, message in (
        ([], 2, "exactly one way: --file or --environment"),
        (["--file", "x", "--environment", "KEK"], 2, "exactly one way"),
        (["--file", tmp_path / "none"], 2, "No such file"),
        (["--environment", "NONE"], 2, "'NONE': it is not set"),
        (["--environment", "KEK"], 2, "no such file"),
    ):
        result = run("rekey", file, *arguments)
        assert (result.exit_code, message in result.output) == (code, True), result.output
    assert not (tmp_path / "kme-1.db").exists(), "a store that is not there is not begun"
    store = open_for(read_file(file))
    monkeypatch.setattr("qstack.keys.store.database.PATIENCE_S", 0.1)
    result = run("rekey", file, "--environment", "KEK")
    assert (result.exit_code, "Stop every server that uses it" in result.output) == (1, True)
    store.close()


def test_certificates_are_written_for_tests(tmp_path):
    result = run("certificates", tmp_path / "here", "a", "b")
    assert result.exit_code == 0
    assert {path.name for path in (tmp_path / "here").iterdir()} == {"ca.pem", "a.pem", "a.key", "b.pem", "b.key"}
    assert (tmp_path / "here" / "a.key").stat().st_mode & 0o777 == 0o600


def test_the_judge_names_an_address_that_is_none(tmp_path):
    make_certificates(tmp_path, ["A", "B"])
    who = [arg for sae, option in (("A", "--master"), ("B", "--slave"))
           for arg in (option, sae, tmp_path / f"{sae}.pem", tmp_path / f"{sae}.key")]  # fmt: skip
    result = run("conform", "--url", "http://x", "--authority", tmp_path / "ca.pem", *who)
    assert result.exit_code == 2
    assert "must start with https://" in result.output
    dead = run(
        "conform",
        "--url",
        "https://127.0.0.1:9",
        "--authority",
        tmp_path / "ca.pem",
        *who,
        "--out",
        tmp_path / "r.json",
    )
    assert dead.exit_code == 1
    assert "Does not conform" in dead.output
    assert json.loads((tmp_path / "r.json").read_text())["totals"] == {"fail": 1, "not run": 30}
