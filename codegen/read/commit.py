"""The spec folders of a commit."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from codegen.errors import SpecError


class CommitError(Exception):
    """Raised if the spec folder of a commit cannot be read; the text contains the reason."""


@contextmanager
def spec_at(commit: str, folder: Path) -> Iterator[Path]:
    """Write the YAML files of a commit into a temporary folder, and yield the given spec folder within it.

    Raises:
        CommitError: git is not installed, the folder is not in a git repository, there is no such commit, it
            has no such spec, or its spec has a form that this version of codegen cannot read.
    """
    location = _git(folder, "rev-parse", "--show-toplevel", "--show-prefix")
    if location is None:
        raise CommitError(f"{folder} is not in a git repository")
    top, name, *_ = location.decode().split("\n")
    root = Path(top)
    commit_id = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{commit}}")
    if commit_id is None:
        raise CommitError(f"{commit} is neither a file nor a commit of {top}")
    # All YAML files are written, because `extends` may lead to any folder.
    files = _git(root, "archive", "--format=tar", commit_id.decode().strip(), "--", ":(glob)**/*.yaml")
    with TemporaryDirectory() as temporary:
        if files is not None:
            with tarfile.open(fileobj=io.BytesIO(files)) as archive:
                archive.extractall(temporary, filter="data")
        spec = Path(temporary) / name
        if not (spec / "manifest.yaml").is_file():
            raise CommitError(f"{commit} has no {name}manifest.yaml")
        try:
            yield spec
        except SpecError as error:
            # The message shows paths as git does.
            text = str(error).replace(f"{temporary}/", f"{commit}:")
            raise CommitError(f"{commit}: this version of codegen cannot read its spec\n{text}") from None


def _git(folder: Path, *arguments: str) -> bytes | None:
    """Return the output of a git command; None if it fails."""
    try:
        process = subprocess.run(  # noqa: S603 - a list of arguments, without a shell
            ["git", *arguments],  # noqa: S607 - git is found on PATH
            cwd=folder,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        raise CommitError("git is not installed") from None
    return None if process.returncode else process.stdout
