"""``qstack keys demo`` and ``qstack keys serve`` with blocks of a BBM92 flow of the stack."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path

import pytest

pytest.importorskip("aiohttp")
pytest.importorskip("cryptography")

from qstack.integration.certificates import make_certificates

ROOT = Path(__file__).parents[2]
SITE = """\
kme_id: {me}
store: {me}.db
tls: {{certificate: {me}.pem, key: {me}.key, authority: ca.pem}}
saes: {{SAE_A: kme-1, SAE_B: kme-2}}
peers: {{{other}: "https://localhost:1"}}
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_the_demonstration_uses_both_links_and_stays_short(qstack):
    begun = time.process_time()
    said = qstack("keys", "demo")
    assert said.code == 0, said.err
    assert time.process_time() - begun < 45
    quiet, loud = said.out.split("-- Eve tunes in")
    for link in ("bb84", "bbm92"):
        assert re.search(rf"^{link} +Block passed, error rate \d\.\d%, \d+ secret bits", quiet, re.MULTILINE)
        assert re.search(rf"^{link} +Block dropped at both ends: 0\.2\d+ of the test bits", loud, re.MULTILINE)
    assert "openssl s_client: Protocol version: TLSv1.3" in quiet
    assert "kme-1 answers 503" in loud
    assert "Session refused. QkdAndPqcRequired" in loud
    assert "Session fell back: without qkd, as EitherQkdOrPqcRequired allows" in loud
    assert len(said.out.splitlines()) <= 40
    assert max(map(len, said.out.splitlines())) <= 120


@pytest.fixture
def site(tmp_path):
    make_certificates(tmp_path, ["kme-1", "kme-2"])
    files = []
    for me, other in (("kme-1", "kme-2"), ("kme-2", "kme-1")):
        files.append(tmp_path / f"{me}.yaml")
        files[-1].write_text(SITE.format(me=me, other=other), encoding="utf-8")
    return files


def test_a_flow_of_an_example_is_served_honestly(qstack, site):
    """400 pairs are far too few: the server says so, and how many would do, and has no key."""
    example = ROOT / "examples" / "delft-eindhoven.yaml"
    said = qstack("keys", "serve", "--simulate", "bbm92", "--scenario", example, "--for", "3", *site)
    assert said.code == 0, said.err
    assert re.search(r"block bbm92-key-\w+-0 dropped at both ends: no secret bit of \d+;", said.out)
    assert "pairs would do" in said.out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--simulate", "bbm92", "--flow", "ctiy"], "Did you mean 'city'?"),
        (["--simulate", "bb84", "--flow", "city"], "go with --simulate bbm92"),
        (["--flow", "city"], "go with --simulate bbm92"),
        (["--simulate", "test", "--key-error", "0.03"], "go with --simulate bbm92"),
        (["--simulate", "bbm92", "--key-error", "0.5"], "0.5 is not in the range"),
        (["--simulate", "bbm92", "--scenario", ROOT / "pyproject.toml"], "pyproject.toml:"),
        (["--simulate", "bbm92", "--scenario", "/nowhere"], "does not exist"),
    ],
)
def test_flows_that_cannot_be_served(qstack, site, options, message):
    said = qstack("keys", "serve", *options, "--for", "0.1", *site)
    assert said.code == 2
    assert message in said.err
    assert "Traceback" not in said.err
