"""Download the packages of sources.toml, check them, and unpack them.

    python fetch.py PACKAGES

Needs npm and apt-get, which know where their registries are. What is there already is kept.
"""

import argparse
import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from sources import Package, packages


def download(package: Package, folder: Path) -> Path:
    """Have the registry's own program fetch one package; return its file."""
    if package.registry == "npm":
        command = ["npm", "pack", "--silent", f"{package.title}@{package.version}"]
    else:
        command = ["apt-get", "download", "-qq", f"{package.title}={package.version}"]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    (file,) = folder.iterdir()
    return file


def unpack(package: Package, file: Path, folder: Path) -> None:
    if package.registry == "npm":
        with tarfile.open(file) as archive:
            archive.extractall(folder, filter="data")
    else:
        subprocess.run(["dpkg", "-x", file, folder], check=True)


def fetch(package: Package, root: Path) -> None:
    """Make the folder of one package: whole, or not at all."""
    if (root / package.name).exists():
        return
    with tempfile.TemporaryDirectory(dir=root) as scratch:
        downloads, unpacked = Path(scratch) / "downloads", Path(scratch) / "unpacked"
        downloads.mkdir()
        file = download(package, downloads)
        found = hashlib.sha256(file.read_bytes()).hexdigest()
        if found != package.sha256:
            raise SystemExit(f"{package.title} {package.version}: has SHA-256 {found}; expected {package.sha256}.")
        unpack(package, file, unpacked)
        shutil.move(unpacked, root / package.name)
    print(f"{package.name}: {package.title} {package.version}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("packages", type=Path, metavar="PACKAGES", help="folder for the unpacked packages")
    root = parser.parse_args().packages
    root.mkdir(parents=True, exist_ok=True)
    for package in packages().values():
        fetch(package, root)


if __name__ == "__main__":
    main()
