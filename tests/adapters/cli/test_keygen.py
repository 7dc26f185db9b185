"""`kalshi-fix keygen`: a key file that only its owner can read, and that the library can load."""

from __future__ import annotations

from pathlib import Path

import pytest

from kalshi_fix_sansio.errors import KeyFileError
from kalshi_fix_sansio.signing import load_private_key
from tests.adapters.cli.runner import invoke


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_the_key_file_is_private_and_the_public_key_is_printed(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "key.pem"
    result = invoke("keygen", file, "--type", kind)
    assert file.stat().st_mode & 0o777 == 0o600
    public = (tmp_path / "key.pem.pub").read_text()
    assert public in result.stdout
    assert "PRIVATE KEY-----" not in result.stdout
    signature = load_private_key(file.read_bytes())(b"payload")
    assert signature


def test_a_passphrase_is_requested_twice_and_required(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    assert "sesame" not in invoke("keygen", file, "--passphrase", stdin="sesame\nsesame\n").output
    with pytest.raises(KeyFileError):
        load_private_key(file.read_bytes())
    assert load_private_key(file.read_bytes(), "sesame")(b"payload")


@pytest.mark.parametrize("existing", ["key.pem", "key.pem.pub"])
def test_an_existing_file_is_kept_and_no_partial_file_is_left(tmp_path: Path, existing: str) -> None:
    (tmp_path / existing).write_text("kept")
    result = invoke("keygen", tmp_path / "key.pem", status=1)
    assert result.stdout == ""
    assert f"{existing}: File exists" in result.stderr
    assert [item.name for item in tmp_path.iterdir()] == [existing]
    assert (tmp_path / existing).read_text() == "kept"
