"""(f) From an order to its report over loopback, against a QuickFIX acceptor."""

from __future__ import annotations

import json
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from benchmarks.engines.present import missing
from benchmarks.measure import Result, result

ROOT = Path(__file__).resolve().parents[2]
MEDIAN, RATE = "f: order to report", "f: an order of 100 on their way"
TLS = ", TLS"
ADAPTERS = ("blocking", "asyncio", "trio")
BARE = "bare session"
ROUNDS = 5
_WAIT = 60


def ours(adapter: str) -> str:
    """Name one of our clients."""
    return f"kalshi-fix-sansio, {adapter}"


def round_trips(rounds: int = ROUNDS) -> list[Result]:
    """Measure every client in turn, several times; the best and the median of its medians count."""
    absent = missing()
    if "quickfix" in absent:
        return []
    engines = [*ADAPTERS, BARE, "quickfix", *([] if "kalshi.fix" in absent else ["kalshi-sdk"])]
    runs = [(name, tls) for tls in (False, True) for name in engines if not (tls and name == "quickfix")]
    found: dict[tuple[str, bool], list[tuple[float, float, float]]] = {run: [] for run in runs}
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = _identity(Path(folder))
        for _ in range(rounds):
            for name, tls in runs:
                found[name, tls].append(_run(name, key, certificate if tls else None))
    results = []
    for (name, tls), samples in found.items():
        shown = ours(name) if name in (*ADAPTERS, BARE) else name
        suffix = TLS if tls else ""
        medians, late, rates = zip(*samples, strict=True)
        results += [
            result(f"{MEDIAN}{suffix}", shown, medians),
            result(f"{MEDIAN}{suffix}, 99 %", shown, late),
            result(f"{RATE}{suffix}", shown, rates),
        ]
    return results


def _run(name: str, key: Path, certificate: Path | None) -> tuple[float, float, float]:
    """Return median and 99th percentile in microseconds, and microseconds an order pipelined."""
    port = _free_port()
    with _serving("benchmarks.acceptor", str(port)):
        if certificate is None:
            return _client(name, port, key)
        front = _free_port()
        with _serving("benchmarks.tls_front", str(front), str(port), str(certificate), str(key)):
            return _client(name, front, key, certificate)


def _client(name: str, port: int, key: Path, certificate: Path | None = None) -> tuple[float, float, float]:
    command = [sys.executable, "-m", "benchmarks.clients", name, str(port), str(key)]
    command += [] if certificate is None else [str(certificate)]
    out = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT, timeout=_WAIT)
    measured = json.loads(out.stdout)
    seconds = sorted(measured["seconds"])
    return (
        statistics.median(seconds) * 1e6,
        seconds[len(seconds) * 99 // 100] * 1e6,
        measured["each"] * 1e6,
    )


@contextmanager
def _serving(module: str, *arguments: str) -> Iterator[None]:
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        if process.stdout.readline() != "listening\n":
            raise RuntimeError(f"{module} did not start")
        yield
        process.stdin.close()
        try:
            process.wait(_WAIT)
        except subprocess.TimeoutExpired:
            process.kill()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _identity(folder: Path) -> tuple[Path, Path]:
    """Write a throwaway key and a certificate for it, which is its own authority."""
    private = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(private, hashes.SHA256())
    )
    key_path, certificate_path = folder / "key.pem", folder / "certificate.pem"
    key_path.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    key_path.chmod(0o600)
    certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return key_path, certificate_path
