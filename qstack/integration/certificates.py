"""Certificates for tests and demonstrations: a small authority and what it signs. Not for production."""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from qstack.integration.files import write_private
from qstack.integration.kme.settings import Tls

DAYS = 7


def make_certificates(
    directory: Path, names: Iterable[str], authority: str = "qstack test authority"
) -> dict[str, Tls]:
    """Write an authority and one certificate per name, with P-256 keys, valid for a week on loopback.

    Parameters
    ----------
    directory
        Made if missing; private keys are readable by their owner only.
    names
        Identifiers of key managers and applications: common name and DNS name of their certificates.
    authority
        Common name of the signing certificate.

    Returns
    -------
    dict
        The files of each name.
    """
    from cryptography import x509  # noqa: PLC0415  # an extra, and slow to import
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415  # as above
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415  # as above
    from cryptography.x509.oid import ExtendedKeyUsageOID  # noqa: PLC0415  # as above

    directory.mkdir(parents=True, exist_ok=True)
    start = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=5)

    def subject(name: str) -> Any:  # of an extra
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])

    def builder(name: str, key: Any) -> Any:  # of an extra
        return (
            x509.CertificateBuilder()
            .subject_name(subject(name))
            .issuer_name(subject(authority))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + dt.timedelta(days=DAYS))
        )

    signer = ec.generate_private_key(ec.SECP256R1())
    signer_id = x509.SubjectKeyIdentifier.from_public_key(signer.public_key())
    root = (
        builder(authority, signer)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(x509, sign_certificates=True), critical=True)
        .add_extension(signer_id, critical=False)
        .sign(signer, hashes.SHA256())
    )
    ca = directory / "ca.pem"
    ca.write_bytes(_pem(root))
    files = {}
    for name in names:
        key = ec.generate_private_key(ec.SECP256R1())
        names_there = [x509.DNSName(name), x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        leaf = (
            builder(name, key)
            .add_extension(x509.SubjectAlternativeName(names_there), critical=False)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(_usage(x509, sign_certificates=False), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(signer_id), critical=False)
            .sign(signer, hashes.SHA256())
        )
        tls = Tls(certificate=directory / f"{name}.pem", key=directory / f"{name}.key", authority=ca)
        tls.certificate.write_bytes(_pem(leaf))
        write_private(tls.key, _private_pem(key))
        files[name] = tls
    return files


def _usage(x509: Any, *, sign_certificates: bool) -> Any:  # of an extra
    return x509.KeyUsage(
        digital_signature=not sign_certificates,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: Any) -> bytes:  # of an extra
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415  # an extra

    return bytes(certificate.public_bytes(Encoding.PEM))


def _private_pem(key: Any) -> bytes:  # of an extra
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415  # an extra

    return bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
