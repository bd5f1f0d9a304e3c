# SPDX-License-Identifier: Apache-2.0
"""A Debian kernel, out of its package and into a folder: nothing is installed, no boot loader hears of it."""

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from virtual_machine.errors import VmError

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_DEFAULT_PACKAGE = "linux-image-amd64"  # names the current 6.1 kernel of Debian 12
_DOWNLOAD_LIMIT_S = 600
# Drivers of hardware that no machine of ours has: three quarters of the package.
_UNWANTED = ("sound", *(f"drivers/{kind}" for kind in (
    "gpu", "media", "infiniband", "staging", "scsi", "usb", "iio", "input", "hwmon", "net/ethernet", "net/wireless")))


@dataclass(frozen=True)
class Kernel:
    version: str  # as uname -r says it
    image: Path
    modules: Path  # lib/modules/VERSION, with what depmod makes


def kernel(version, cache):
    """The kernel of this version, or Debian's current one if version is None; fetched if cache lacks it.

    cache: a folder, shared by all who ask: one fetches, the others wait. VmError if apt does not have it.
    """
    version = version or _current_version()
    directory = Path(cache) / version
    with _locked(cache):
        if not directory.is_dir():
            _fetch(version, directory)
    return Kernel(version, directory / "boot" / f"vmlinuz-{version}", directory / "lib" / "modules" / version)


def _current_version():
    def versions():
        done = _run(["apt-cache", "depends", _DEFAULT_PACKAGE])
        return re.findall(r"^\s*Depends: linux-image-([0-9]\S*)$", done.stdout, re.MULTILINE)

    found = versions()
    if not found:  # a host whose lists were never fetched
        _run(["apt-get", "update"])
        found = versions()
    if not found:
        raise VmError(f"find a kernel: apt knows no package {_DEFAULT_PACKAGE}; this wants Debian's archive in apt's "
                      "sources, or --kernel VERSION with a version that apt has")
    return found[0]


@contextlib.contextmanager
def _locked(cache):
    Path(cache).mkdir(parents=True, exist_ok=True)
    with open(Path(cache) / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch(version, directory):
    """Whole or not at all: it is unpacked beside its place, and renamed."""
    with tempfile.TemporaryDirectory(prefix="fetch.", dir=directory.parent) as scratch:
        scratch = Path(scratch)
        package = _download(f"linux-image-{version}", scratch)
        root = scratch / "root"
        root.mkdir()
        _unpack(package, root)
        if not (root / "lib").exists():  # Debian 13 and later
            (root / "lib").symlink_to("usr/lib")
        if not (root / "boot" / f"vmlinuz-{version}").is_file() or not (root / "lib" / "modules" / version).is_dir():
            raise VmError(f"unpack {package.name}: it holds no kernel {version} with modules; choose another --kernel")
        _run(["depmod", "-b", root, version], check=True)
        root.rename(directory)


def _download(name, directory):
    words = ["apt-get", "-o", "APT::Sandbox::User=root", "download", name]
    done = _run(words, cwd=directory)
    if done.returncode != 0:  # apt's lists may be stale, and name what the archive has no longer
        _run(["apt-get", "update"])
        done = _run(words, cwd=directory)
    packages = list(directory.glob("*.deb"))
    if done.returncode != 0 or not packages:
        raise VmError(f"download {name}: apt-get says: {done.stderr.strip()[-500:]}; \"apt-cache search linux-image\" "
                      "lists what there is")
    return packages[0]


def _unpack(package, root):
    excluded = [f"--exclude=*/kernel/{folder}" for folder in _UNWANTED]
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE) as archive:
        done = _run(["tar", "-x", "-C", root, "--no-same-owner", *excluded], stdin=archive.stdout)
        archive.stdout.close()
    if done.returncode != 0 or archive.returncode != 0:
        raise VmError(f"unpack {package.name}: {done.stderr.strip() or 'dpkg-deb failed'}; is the disk full?")


def _run(argv, *, check=False, **more):
    argv = [str(word) for word in argv]
    if shutil.which(argv[0], path=SYSTEM_PATH) is None:
        raise VmError(f"run {argv[0]}: it is not there; tools/setup installs what this needs, on Debian")
    more = {"stdin": subprocess.DEVNULL, **more}
    try:
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
                              timeout=_DOWNLOAD_LIMIT_S, env={**os.environ, "PATH": SYSTEM_PATH, "LC_ALL": "C"},
                              **more)
    except subprocess.TimeoutExpired as error:
        raise VmError(f"run {' '.join(argv)}: not done after {_DOWNLOAD_LIMIT_S} s; check the network") from error
    if check and done.returncode != 0:
        raise VmError(f"run {' '.join(argv)}: exit status {done.returncode}: {done.stderr.strip()}")
    return done
