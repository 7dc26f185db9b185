"""For a sandbox, the environment variables that `kalshi-fix venue` prints for an owner."""

from __future__ import annotations

from pathlib import Path

from kalshi_fix_sansio import PRODUCTS
from kalshi_fix_venue.testing import Sandbox


def write_environ(sandbox: Sandbox, owner: str, folder: Path) -> dict[str, str]:
    """Write an owner's key and certificate files into a folder; return the variables that refer to them."""
    found: dict[str, str] = {}
    for product, files in sandbox.write_files(folder, owner).items():
        prefix = PRODUCTS[product]
        found |= {
            f"{prefix}_FIX_ENDPOINTS": sandbox.endpoints(product),
            f"{prefix}_FIX_CA_FILE": str(Sandbox.ca_path(folder)),
        }
        for number, (key_id, path) in enumerate(files, 1):
            suffix = f"_{number}" if number > 1 else ""
            found |= {f"{prefix}_KEY_ID{suffix}": key_id, f"{prefix}_PRIVATE_KEY_PATH{suffix}": str(path)}
    return found
