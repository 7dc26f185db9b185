"""Build the sdist and the wheel of both distributions, and check their contents.

Run by `make package`. Prints every fault, and exits with status 1 if there are any. Faults are:

- an archive lacks a required file, contains an unexpected file, or differs when it is built again;
- the packages cannot be imported from the wheels, or tests fail in the unpacked sdist;
- an installation from only the wheels lacks a command, or contains the venue without its extra.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import attrs

ROOT = Path(__file__).resolve().parent.parent


@attrs.frozen
class Distribution:
    """The required contents of a distribution's archives."""

    folder: Path
    packages: dict[str, Path]
    """The import packages, each with the folder that contains it."""
    entry_points: tuple[str, ...]
    in_sdist: tuple[str, ...]

    def source_files(self) -> set[str]:
        """Return every file of its packages, by its path in the wheel."""
        return {
            path.relative_to(parent).as_posix()
            for package, parent in self.packages.items()
            for path in (parent / package).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }


LIBRARY = Distribution(
    folder=ROOT,
    packages={"kalshi_fix_sansio": ROOT / "src", "kalshi_fix_adapters": ROOT / "adapters"},
    entry_points=("kalshi-fix = kalshi_fix_adapters.cli:main",),
    in_sdist=(
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "spec/",
        "codegen/",
        "tests/",
        "examples/",
        "venue/pyproject.toml",
    ),
)
VENUE = Distribution(
    folder=ROOT / "venue",
    packages={"kalshi_fix_venue": ROOT / "venue"},
    entry_points=(
        "venue = kalshi_fix_venue.cli:SUBCOMMANDS",
        "venue = kalshi_fix_venue.cli.tools:tools",
        "kalshi_fix_venue.pytest_plugin = kalshi_fix_venue.pytest_plugin",
    ),
    in_sdist=("pyproject.toml", "README.md", "LICENSE", "kalshi_fix_venue/"),
)
EXAMPLES = ("fixt_acceptor", "fixt_initiator")
GENERATED_ON_IMPORT = ("tests/fix50sp2/dialect/", "examples/fixt/dialect/")
TESTS = ("tests/fix50sp2/test_dialect.py", "tests/session/test_second_dialect.py")
"""Tests that import the generated dialect of the tests, and therefore need all of codegen."""


def run(*command: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    """Run a command and capture its output."""
    result: subprocess.CompletedProcess[str] = subprocess.run(
        [str(each) for each in command],
        capture_output=True,
        text=True,
        check=False,
        **options,  # type: ignore[call-overload]
    )
    return result


def wheel_faults(distribution: Distribution, wheel: Path) -> Iterator[str]:
    """Compare the wheel with the source tree."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = {name.rsplit("/", 1)[-1]: name for name in names if ".dist-info/" in name}
        entry_points = archive.read(metadata["entry_points.txt"]).decode()
        metadata_text = archive.read(metadata["METADATA"]).decode()
        if not any(name.endswith(".dist-info/sboms/sbom.cdx.json") for name in names):
            yield f"{wheel.name} lacks its SBOM"
    code = {name for name in names if ".dist-info/" not in name}
    expected = distribution.source_files()
    yield from (f"{wheel.name} lacks {name}" for name in sorted(expected - code))
    yield from (f"{wheel.name} contains {name}" for name in sorted(code - expected))
    yield from (
        f"{package} has no py.typed" for package in distribution.packages if f"{package}/py.typed" not in code
    )
    yield from (
        f"{wheel.name} does not register {each}"
        for each in distribution.entry_points
        if each not in entry_points
    )
    if "Description-Content-Type: text/markdown" not in metadata_text:
        yield f"the description of {wheel.name} is not its README"


def reproduction_faults(archives: list[Path]) -> Iterator[str]:
    """Build both distributions again from the unpacked sdist of the library, and compare every archive.

    The folder, the times of the files and the umask differ from those of the first build.
    """
    [library] = (each for each in archives if each.name.endswith(".tar.gz") and "sansio" in each.name)
    with tempfile.TemporaryDirectory() as folder, tarfile.open(library) as archive:
        archive.extractall(folder, filter="data")
        copy = Path(folder) / library.name.removesuffix(".tar.gz")
        for path in copy.rglob("*"):
            os.utime(path, (1, 1))
        rebuilt = Path(folder) / "again"
        for source in (copy, copy / "venue"):
            build = run(
                sys.executable, "-m", "build", "--no-isolation", "--outdir", rebuilt, source, umask=0o077
            )
            if build.returncode:
                yield f"the sdist cannot be built again:\n{build.stdout}{build.stderr}"
                return
        yield from (
            f"{first.name} differs when it is built again from the sdist"
            for first in archives
            if first.read_bytes() != (rebuilt / first.name).read_bytes()
        )


def import_faults(wheels: list[Path]) -> Iterator[str]:
    """Import the packages from the wheels, then this clone's FIXT examples with the library's wheel."""
    for modules, path in (
        ((*LIBRARY.packages, *VENUE.packages), wheels),
        (EXAMPLES, [wheels[0], ROOT / "examples"]),
    ):
        program = f"import sys; sys.path[:0] = sys.argv[1:]; import {', '.join(modules)}, kalshi_fix_sansio"
        program += "; print(kalshi_fix_sansio.__file__)"
        imported = run(sys.executable, "-I", "-W", "error", "-c", program, *path)
        if not imported.stdout.startswith(str(wheels[0])):
            yield f"{', '.join(modules)} cannot be imported:\n{imported.stdout}{imported.stderr}"


def sdist_faults(distribution: Distribution, sdist: Path) -> Iterator[str]:
    """Yield the files that the source archive lacks, and the tests that fail in it."""
    with tarfile.open(sdist) as archive:
        names = [name.partition("/")[2] for name in archive.getnames()]
        archive.extractall(sdist.parent, filter="data")
    for required in distribution.in_sdist:
        if not any(name.startswith(required) for name in names):
            yield f"{sdist.name} lacks {required}"
    yield from (f"{sdist.name} contains {name}" for name in names if name.startswith(GENERATED_ON_IMPORT))
    if distribution is not LIBRARY:
        return
    unpacked = sdist.parent / sdist.name.removesuffix(".tar.gz")
    path = os.pathsep.join(str(unpacked / each) for each in ("src", "adapters", "venue"))
    tested = run(
        sys.executable,
        *("-bb", "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS),
        cwd=unpacked,
        env={**os.environ, "PYTHONPATH": path},
    )
    if tested.returncode:
        yield f"tests fail from the sdist:\n{tested.stdout}{tested.stderr}"


def install_faults(wheels: Path) -> Iterator[str]:
    """Install the wheels without an index, once for production and once with the simulated venue."""
    pinned = ROOT / "requirements" / "run.txt"
    pip = (sys.executable, "-m", "pip", "-qq", "--disable-pip-version-check")
    fetched = run(*pip, "download", "--require-hashes", "--no-deps", "-r", pinned, "--dest", wheels)
    if fetched.returncode:
        yield f"the pinned requirements cannot be fetched:\n{fetched.stderr}"
        return
    for extras, command, status, expected_error in (
        ("cli", "demo", 2, "pip install kalshi-fix-venue"),
        ("cli,venue", "demo", 0, ""),
    ):
        folder = wheels.parent / f"with-{extras.replace(',', '-')}"
        run(sys.executable, "-m", "venv", "--without-pip", folder)
        python = folder / "bin" / "python"
        install = ("--python", python, "install", "--no-index", "--find-links", wheels)
        installed = run(*pip, *install, f"kalshi-fix-sansio[{extras}]")
        ran = run(folder / "bin" / "kalshi-fix", command) if not installed.returncode else installed
        if ran.returncode != status or expected_error not in ran.stderr:
            yield (
                f"unexpected result of kalshi-fix {command} with kalshi-fix-sansio[{extras}]:\n"
                f"{ran.stdout}{ran.stderr}"
            )
        imported = run(python, "-I", "-c", "import kalshi_fix_venue")
        if (imported.returncode == 0) != ("venue" in extras):
            yield f"kalshi-fix-sansio[{extras}]: the venue must be installed by its extra and by no other"


def main() -> int:
    """Build all archives in a temporary folder and print every fault."""
    with tempfile.TemporaryDirectory() as folder:
        dist, faults = Path(folder) / "dist", []
        for distribution in (LIBRARY, VENUE):
            command = ("-m", "build", "--no-isolation", "--outdir", dist, distribution.folder)
            build = run(sys.executable, *command)
            if build.returncode:
                print(build.stdout + build.stderr, file=sys.stderr)
                return 1
            stem = "kalshi_fix_sansio" if distribution is LIBRARY else "kalshi_fix_venue"
            [wheel], [sdist] = dist.glob(f"{stem}*.whl"), dist.glob(f"{stem}*.tar.gz")
            faults += [*wheel_faults(distribution, wheel), *sdist_faults(distribution, sdist)]
        faults += reproduction_faults([*dist.glob("kalshi_fix_*.whl"), *dist.glob("*.tar.gz")])
        faults += import_faults(sorted(dist.glob("*.whl")))
        faults += install_faults(dist)
        for fault in faults:
            print(fault, file=sys.stderr)
        if not faults:
            print(f"{', '.join(sorted(each.name for each in dist.glob('kalshi_fix_*')))}: complete")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
