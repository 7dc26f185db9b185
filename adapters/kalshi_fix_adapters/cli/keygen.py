"""`kalshi-fix keygen`: generates a private key in a file that only the user can read."""

from __future__ import annotations

import os
from pathlib import Path

import click
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from kalshi_fix_adapters.cli.kit.failures import converting_errors
from kalshi_fix_adapters.cli.kit.terminal import Screen, plain
from kalshi_fix_adapters.cli.kit.values import choice_option
from kalshi_fix_sansio.classes.hide_locals import hides_locals

RSA_BITS = 4096


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@choice_option("--type", "kind", choices=("ed25519", "rsa"), default="ed25519", text="Type of the key.")
@click.option("--passphrase", is_flag=True, help="Encrypt the file; prompts for the passphrase.")
@hides_locals
def keygen(file: Path, kind: str, passphrase: bool) -> None:
    """Generate a private key in a new FILE, and its public key in FILE.pub.

    Paste the public key on Kalshi's website, under Account > API keys; Kalshi then shows the key's id. The
    private key never leaves this machine.
    """
    encryption: KeySerializationEncryption = NoEncryption()
    if passphrase:
        secret = click.prompt("Passphrase", hide_input=True, confirmation_prompt=True)
        encryption = BestAvailableEncryption(secret.encode())
    key = Ed25519PrivateKey.generate() if kind == "ed25519" else generate_private_key(65537, RSA_BITS)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    public_file = file.with_name(f"{file.name}.pub")
    with converting_errors():
        _write(file, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption), mode=0o600)
        try:
            _write(public_file, public, mode=0o644)
        except OSError:
            file.unlink()
            raise
    screen = Screen()
    screen.print_lines([plain(f"private key: {file} (keep it secret; only you can read it)")])
    screen.print_lines([plain(f"public key:  {public_file}"), ()])
    screen.print_text([*public.decode().splitlines(), ""])
    next_steps = (
        "Paste the public key on Kalshi's website, under Account > API keys. Then set these variables, with "
        "the id shown there:"
    )
    screen.print_lines([plain(next_steps), ()])
    screen.print_text(["export KALSHI_KEY_ID=...", f"export KALSHI_PRIVATE_KEY_PATH={file.absolute()}"])
    if passphrase:
        screen.print_text(["export KALSHI_PRIVATE_KEY_PASSPHRASE=..."])


def _write(path: Path, data: bytes, *, mode: int) -> None:
    """Create a file with this mode, and write it."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)
