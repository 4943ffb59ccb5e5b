"""TLS: certificates from files, and self-signed ones."""

from __future__ import annotations

import hashlib
import ipaddress
import os
import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from streamwhisper.errors import reason_of

if TYPE_CHECKING:
    from cryptography import x509

__all__ = ["fingerprint", "lan_address", "load_certificate", "self_signed"]

_VALIDITY = timedelta(days=397)  # some systems reject longer ones
_RENEW_BEFORE = timedelta(days=30)  # before the certificate expires
_ELSEWHERE = ("192.0.2.1", 9)  # reserved for documentation (RFC 5737); nothing is sent there


def load_certificate(cert: Path, key: Path | None = None) -> ssl.SSLContext:
    """Return the TLS context of a server.

    Args:
        cert: PEM file of the certificate and the intermediate ones.
        key: PEM file of the private key; None: `cert` contains it.

    Raises:
        ValueError: a file cannot be read, or does not contain a certificate and its key.
    """
    for file in (cert, key or cert):
        try:
            file.read_bytes()
        except OSError as error:
            raise ValueError(f"cannot read {file}: {reason_of(error)}") from error
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # Without a password, OpenSSL would ask for that of an encrypted key at the terminal.
        context.load_cert_chain(cert, key, password=lambda: "")
    except (ssl.SSLError, ValueError) as error:
        raise ValueError(
            f"cannot use {cert} with the key in {key or cert}: {error}; expected a certificate "
            "and its unencrypted key, both in PEM format"
        ) from error
    return context


def fingerprint(cert: Path) -> str:
    """Return the SHA-256 of a certificate, as browsers show it."""
    pem = cert.read_text(encoding="ascii")
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest().upper()
    return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))


def lan_address() -> str | None:
    """Return this machine's address in the local network; None: it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_ELSEWHERE)
        except OSError:
            return None
        address = str(probe.getsockname()[0])
    return None if ipaddress.ip_address(address).is_loopback else address


def self_signed(folder: Path) -> tuple[Path, Path]:
    """Return the files of a self-signed certificate and its key.

    They are created if missing, damaged, about to expire, or made for other names.

    Args:
        folder: folder of both files.

    Raises:
        ValueError: the package cryptography is not installed.
        OSError: the folder cannot be written to.
    """
    try:
        from cryptography import x509
    except ModuleNotFoundError:
        raise ValueError(
            "a self-signed certificate needs the package cryptography; install it with: "
            "pip install 'streamwhisper[tls]'"
        ) from None
    cert, key = folder / "self-signed.crt", folder / "self-signed.key"
    names = _names()
    if cert.is_file() and key.is_file():
        try:
            made = x509.load_pem_x509_certificate(cert.read_bytes())
            if _serves(made, names):
                load_certificate(cert, key)
                return cert, key
        except ValueError:
            pass  # damaged
    folder.mkdir(parents=True, exist_ok=True)
    certificate, secret = _sign(names)
    _write(key, secret)
    _write(cert, certificate)
    return cert, key


def _names() -> list[x509.GeneralName]:
    """Return the names and addresses of this machine."""
    from cryptography import x509

    host = socket.gethostname().lower()
    hosts = ["localhost", *([host, f"{host}.local"] if host.isascii() and "." not in host else [])]
    addresses = ["127.0.0.1", "::1", *filter(None, [lan_address()])]
    return [
        *(x509.DNSName(name) for name in hosts),
        *(x509.IPAddress(ipaddress.ip_address(address)) for address in addresses),
    ]


def _serves(certificate: x509.Certificate, names: list[x509.GeneralName]) -> bool:
    """Return whether a certificate is still valid for some days, and for these names."""
    from cryptography import x509

    known = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    valid = certificate.not_valid_after_utc - datetime.now(UTC) > _RENEW_BEFORE
    return valid and set(names) <= set(known)


def _sign(names: list[x509.GeneralName]) -> tuple[bytes, bytes]:
    """Return a new certificate and its key, in PEM format."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "streamwhisper")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # clocks of clients may be late
        .not_valid_after(now + _VALIDITY)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return certificate.public_bytes(pem), secret


def _write(file: Path, content: bytes) -> None:
    """Write a file that only its owner may read, atomically."""
    part = file.with_suffix(f".part{os.getpid()}")
    part.touch(0o600)
    part.write_bytes(content)
    part.replace(file)
