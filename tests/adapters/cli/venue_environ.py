"""What `kalshi-fix venue` tells to export, for one of an owner's keys at a sandbox."""

from __future__ import annotations

from pathlib import Path

from kalshi_fix_adapters.testing import Sandbox


def environ_of(sandbox: Sandbox, owner: str, folder: Path, key: int = 0) -> dict[str, str]:
    """Write the files into a folder and return the variables."""
    if not Sandbox.ca_path(folder).exists():
        sandbox.write_files(folder, owner)
    found: dict[str, str] = {}
    for product, prefix in (("prediction", "KALSHI"), ("margin", "KALSHI_PERPS")):
        found |= {
            f"{prefix}_KEY_ID": sandbox.keys[owner, product][key].key_id,
            f"{prefix}_PRIVATE_KEY_PATH": str(folder / f"{product}-{key + 1}.pem"),
            f"{prefix}_FIX_ENDPOINTS": sandbox.endpoints(product),
            f"{prefix}_FIX_CA_FILE": str(Sandbox.ca_path(folder)),
        }
    return found
