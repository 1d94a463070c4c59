"""The TLS face: the exchange under its production names, so that clients behave as they would in production.

ccxt chooses its table of error classes by the URL of a request: over http://127.0.0.1 eight of 22 of Binance's
codes become other exceptions than on https://api.binance.com. Here a certificate for these names is made at run
time, and a client session resolves them to the loopback port and trusts that certificate, and no other.
"""

import datetime as dt
import socket
import ssl
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from aiohttp import ClientSession, TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

__all__ = ["HOSTS", "Certificate", "LoopbackResolver", "make_certificate", "session_for"]

HOSTS = (
    "api.binance.com",
    "stream.binance.com",
    "ws-api.binance.com",
    "testnet.binance.vision",
    "stream.testnet.binance.vision",
    "ws-api.testnet.binance.vision",
    "demo-api.binance.com",
    "demo-stream.binance.com",
    "demo-ws-api.binance.com",
)
"""The names of production, of the testnet and of demo trading."""

_LIFE = dt.timedelta(days=7)
_SKEW = dt.timedelta(days=1)


class Certificate(msgspec.Struct, frozen=True):
    """A self-signed certificate that is its own authority, and its key, as PEM texts."""

    certificate: str
    key: str

    def server_context(self) -> ssl.SSLContext:
        """What the server presents."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with TemporaryDirectory() as folder:  # ssl reads chains from files only; the key is gone right after
            pem = Path(folder) / "chain.pem"
            pem.touch(mode=0o600)
            pem.write_text(self.key + self.certificate)
            context.load_cert_chain(pem)
        return context

    def client_context(self) -> ssl.SSLContext:
        """Verifies names and trusts this certificate alone."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=self.certificate)
        return context


def make_certificate(hosts: tuple[str, ...] = HOSTS) -> Certificate:
    """Makes a certificate for `hosts` with a fresh key. It lives for a week."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tradingd loopback exchange")])
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + _LIFE)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    )
    certificate = builder.sign(key, hashes.SHA256())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Certificate(certificate.public_bytes(Encoding.PEM).decode(), private.decode())


class LoopbackResolver(AbstractResolver):
    """Resolves the exchange's names to the loopback port, and nothing else: a request elsewhere fails."""

    def __init__(self, port: int, hosts: tuple[str, ...] = HOSTS) -> None:
        self._port = port
        self._hosts = frozenset(hosts)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Returns 127.0.0.1 and the exchange's own port, whatever port was asked for."""
        del port
        if host not in self._hosts:
            message = f"{host} is not a name of the loopback exchange, and nothing else is reached from here"
            raise socket.gaierror(socket.EAI_NONAME, message)
        return [
            ResolveResult(
                hostname=host,
                host="127.0.0.1",
                port=self._port,
                family=family,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
        ]

    async def close(self) -> None:
        """There is nothing to close."""


def session_for(port: int, certificate: Certificate) -> ClientSession:
    """A client session for ccxt's `session` argument; whoever asked for it closes it."""
    connector = TCPConnector(resolver=LoopbackResolver(port), ssl=certificate.client_context(), limit=0)
    return ClientSession(connector=connector)
