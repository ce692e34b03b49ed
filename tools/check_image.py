"""Build the image of the Dockerfile and run it as compose.yaml does, with Docker, or with Podman and no registry.

    python -m tools.check_image docker
    apt-get install podman mmdebstrap && python -m tools.check_image podman --make-bases

The second makes the images that the Dockerfile begins with from Debian's packages, as the published ones are made. Then
the image's size is checked, and its commands run with a read-only root, without capabilities, as two users that are not
root. It takes some minutes.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
IMAGE = "numpyclip-check"
MAX_MEGABYTES = 200
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
SLIM, DISTROLESS = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
# What the distroless image has, by python3/config.bzl and cc/ of https://github.com/GoogleContainerTools/distroless.
PACKAGES = """
libc6 libssl3t64 tzdata netbase libgcc-s1 libstdc++6 libgomp1 libbz2-1.0 libdb5.3t64 libexpat1 liblzma5 libsqlite3-0
libuuid1 libncursesw6 libtinfo6 zlib1g libcom-err2 libcrypt1 libgssapi-krb5-2 libk5crypto3 libkeyutils1 libkrb5-3
libkrb5support0 libnsl2 libreadline8t64 libtirpc3t64 libffi8 libpython3.13-minimal libpython3.13-stdlib
python3.13-minimal"""
# What their dependencies bring along.
SURPLUS = """
tmp/* dev/* var/lib/apt var/cache usr/share/doc usr/share/man usr/share/locale usr/share/lintian usr/share/perl5
usr/share/bug usr/share/debconf usr/bin/debconf* usr/sbin"""
PORT = 18000
LIMITS = (
    "--read-only",
    "--tmpfs=/tmp",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--network=host",
    "--no-healthcheck",  # which is run below
    f"--env=NUMPYCLIP_SERVE_PORT={PORT}",
)


class Program:
    """Docker, or Podman."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, *words: str) -> str:
        """Run a command of it, and return what it prints."""
        return subprocess.run([self.name, *words], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()

    def fails(self, *words: str) -> bool:
        """Run a command of it that is expected to fail."""
        return subprocess.run([self.name, *words], capture_output=True).returncode != 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", choices=("docker", "podman"))
    parser.add_argument("--make-bases", action="store_true", help="make the first images instead of pulling them")
    parser.add_argument("--pip-conf", type=Path, help="settings of pip for the build: a mirror, or its certificate")
    arguments = parser.parse_args()
    program = Program(arguments.program)
    if arguments.make_bases:
        make_bases(program)
    options = ["--network=host", f"--tag={IMAGE}"]
    if arguments.program == "podman":
        options += ["--format=docker", "--isolation=chroot", *["--pull=never"] * arguments.make_bases]
    if arguments.pip_conf:
        options += [f"--volume={arguments.pip_conf.resolve()}:/etc/pip.conf:ro"]
        certificates = re.search(r"^cert\s*=\s*(\S+)", arguments.pip_conf.read_text("utf-8"), re.MULTILINE)
        options += [f"--volume={certificates[1]}:{certificates[1]}:ro"] if certificates else []
    subprocess.run([program.name, "build", *options, str(ROOT)], check=True)
    megabytes = int(program("image", "inspect", "--format={{.Size}}", IMAGE)) / 1e6
    print(f"{megabytes:.0f} MB; at most {MAX_MEGABYTES} are allowed")
    check_configuration(program)
    for user in ("65532:65532", "1000:0"):  # the image's own, and the one of compose.yaml
        check_commands(program, user)
    if megabytes > MAX_MEGABYTES:
        sys.exit("the image is too large")


def make_bases(program: Program) -> None:
    """Make both images under the names that the Dockerfile has for them."""
    with tempfile.TemporaryDirectory(prefix="numpyclip-bases-") as temporary:
        slim, distroless = Path(temporary, "slim"), Path(temporary, "distroless")
        bare = [f"--dpkgopt=path-exclude=/usr/share/{kind}/*" for kind in ("doc", "man", "locale")]
        make = ["mmdebstrap", "--quiet", "--format=directory"]
        subprocess.run([*make, "--variant=minbase", *bare, "trixie", slim], check=True)
        subprocess.run(
            [*make, "--variant=extract", f"--include={','.join(PACKAGES.split())}", "trixie", distroless], check=True
        )
        for path in [found for pattern in SURPLUS.split() for found in distroless.glob(pattern)]:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        for folder in ("usr/sbin", "proc", "sys", "root", "home/nonroot"):
            (distroless / folder).mkdir(parents=True, exist_ok=True)
        for name in ("bin", "lib", "lib64", "sbin"):
            (distroless / name).symlink_to(f"usr/{name}")
        for name in ("python", "python3"):
            (distroless / "usr/bin" / name).symlink_to("python3.13")
        users = "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n"
        (distroless / "etc/passwd").write_text(users)
        (distroless / "etc/group").write_text("root:x:0:\nnonroot:x:65532:\n")
        for folder, name, change in ((slim, SLIM, "USER 0"), (distroless, DISTROLESS, "USER 65532")):
            archive = f"{folder}.tar"
            subprocess.run(["tar", "--create", f"--directory={folder}", f"--file={archive}", "."], check=True)
            program("import", f"--change={change}", archive, name)


def check_configuration(program: Program) -> None:
    """Compare what the image says of itself."""
    configuration = json.loads(program("image", "inspect", IMAGE))[0]["Config"]
    assert configuration["User"] not in ("", "0", "root"), configuration["User"]
    assert configuration["Entrypoint"] == ["numpyclip"], configuration["Entrypoint"]
    assert (
        program(
            "run", "--rm", "--entrypoint=python3", IMAGE, "-c", "import importlib.util as u; print(u.find_spec('pip'))"
        )
        == "None"
    )


def check_commands(program: Program, user: str) -> None:
    """Classify, index, serve, ask for the health, and stop."""
    options = [*LIMITS, f"--user={user}", f"--volume={IMAGE}:/data", f"--volume={ROOT}/docs/pictures/album:/photos:ro"]
    program.fails("volume", "rm", IMAGE)
    try:
        run = ("run", "--rm", *options, IMAGE)
        best, *_ = program(*run, "classify", "/photos/house.png", "a house", "a bird", "--model=tiny").splitlines()
        assert best.endswith("a house"), best
        program(*run, "index", "/photos", "--model=tiny")
        container = program("run", "--detach", *options, IMAGE)
        try:
            wait_for_health(program, container)
            assert program.fails("exec", container, "python3", "-c", "open('/opt/numpyclip/new', 'w')")
            found = json.loads(program("exec", container, "python3", "-c", get("/search?query=a+house&n=1")))
            assert found["matches"][0]["name"] == "house.png", found
            begin = time.monotonic()
            program("kill", "--signal=TERM", container)
            status = program("wait", container)
            assert status in ("0", "143"), f"status {status}"  # by itself, or by the signal
            print(f"user {user}: indexed, served, and stopped {time.monotonic() - begin:.1f} s after SIGTERM")
        except BaseException:
            subprocess.run([program.name, "logs", container], check=False)
            raise
        finally:
            program("rm", "--force", container)
    finally:
        program("volume", "rm", IMAGE)


def wait_for_health(program: Program, container: str) -> None:
    """Run the image's health check until it succeeds."""
    check = re.search(r"^HEALTHCHECK .*?CMD (\[.*?\])$", DOCKERFILE, re.MULTILINE | re.DOTALL)
    assert check is not None
    command = json.loads(check[1])
    deadline = time.monotonic() + 120
    while program.fails("exec", container, *command):
        assert time.monotonic() < deadline, "the health check fails for two minutes"
        time.sleep(0.5)


def get(path: str) -> str:
    """Return Python that prints an answer of the server."""
    return f"import urllib.request as r; print(r.urlopen('http://127.0.0.1:{PORT}{path}').read().decode())"


if __name__ == "__main__":
    main()
