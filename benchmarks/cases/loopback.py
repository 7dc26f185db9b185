"""(f) From an order to its report over loopback, against a QuickFIX acceptor."""

from __future__ import annotations

import json
import socket
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from benchmarks.engines.present import missing
from benchmarks.measure import ROOT, Result, result

MEDIAN, RATE = "f: order to report", "f: an order of 100 on their way"
TLS = ", TLS"
ADAPTERS = ("blocking", "asyncio", "trio")
UVLOOP = "asyncio on uvloop"
BARE, FLOORS = "bare session", ("bare session, asyncio", "bare session, trio")
SDK, QUICKFIX = "kalshi-sdk", "quickfix"
ROUNDS = 9
_WAIT = 60


def ours(client: str) -> str:
    """Name one of our clients."""
    return f"kalshi-fix-sansio, {client}"


def round_trips(rounds: int = ROUNDS) -> list[Result]:
    """Measure every client once in each round; each has a fresh process and a fresh acceptor."""
    absent = missing()
    if "quickfix" in absent:
        return []
    peers = [QUICKFIX, *([] if "kalshi.fix" in absent else [SDK])]
    own = [*ADAPTERS, *([] if find_spec("uvloop") is None else [UVLOOP]), BARE]
    runs = [(name, False) for name in (*own, *FLOORS, *peers)]
    runs += [(name, True) for name in (*own, *peers) if name != QUICKFIX]
    found: dict[tuple[str, bool], list[tuple[float, float, float]]] = {run: [] for run in runs}
    with identity() as (key, certificate):
        for number in range(rounds):
            # Whoever comes first in one round comes later in the next.
            for name, tls in runs[number % len(runs) :] + runs[: number % len(runs)]:
                found[name, tls].append(_figures(_run(name, key, certificate if tls else None)))
    results = []
    for (name, tls), figures in found.items():
        shown = name if name in peers else ours(name)
        suffix = TLS if tls else ""
        medians, late, rates = zip(*figures, strict=True)
        results += [
            attrs.evolve(result(f"{MEDIAN}{suffix}", shown, medians), rounds=medians),
            result(f"{MEDIAN}{suffix}, 99 %", shown, late),
            result(f"{RATE}{suffix}", shown, rates),
        ]
    return results


def _run(name: str, key: Path, certificate: Path | None) -> dict[str, Any]:
    """Run a client, and once more if it fails: one that is unlucky would cost the whole run."""
    try:
        return run_client(name, key, certificate)
    except subprocess.SubprocessError as error:
        print(f"{name} failed and runs once more: {error}", flush=True)
        return run_client(name, key, certificate)


def _figures(measured: dict[str, Any]) -> tuple[float, float, float]:
    """Return median and 99th percentile in microseconds, and microseconds an order pipelined."""
    seconds = sorted(measured["seconds"])
    late = seconds[len(seconds) * 99 // 100]
    return statistics.median(seconds) * 1e6, late * 1e6, measured["each"] * 1e6


def run_client(name: str, key: Path, certificate: Path | None, *options: str) -> dict[str, Any]:
    """Return what one client measures, over TLS if there is a certificate."""
    port = _free_port()
    with _serving("benchmarks.acceptor", str(port)), ExitStack() as stack:
        if certificate is not None:
            behind, port = port, _free_port()
            front = ("benchmarks.tls_front", str(port), str(behind), str(certificate), str(key))
            stack.enter_context(_serving(*front))
            options = (*options, "--authority", str(certificate))
        command = [sys.executable, "-m", "benchmarks.clients", name, str(port), str(key), *options]
        out = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=ROOT, timeout=_WAIT).stdout
    found: dict[str, Any] = json.loads(out)
    return found


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


@contextmanager
def identity() -> Iterator[tuple[Path, Path]]:
    """Give a throwaway key and a certificate for it, which is its own authority, as files."""
    with TemporaryDirectory() as folder:
        yield _identity(Path(folder))


def _identity(folder: Path) -> tuple[Path, Path]:
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
