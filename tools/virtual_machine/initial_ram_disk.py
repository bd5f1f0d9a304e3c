# SPDX-License-Identifier: Apache-2.0
"""The initial RAM disk: busybox, guest_init, and the modules that reach the host's files."""

import lzma
from pathlib import Path

from virtual_machine.errors import VmError

_BUSYBOX = Path("/bin/busybox")
_INIT = Path(__file__).with_name("guest_init")
_MODULES = ("virtio_pci", "virtio_console", "9p", "9pnet_virtio", "overlay")
_DIRECTORY, _PROGRAM, _FILE = 0o040755, 0o100755, 0o100644


def write_initial_ram_disk(kernel, path):
    """Writes it for a kernel (kernel_package.Kernel). VmError if busybox is missing or the kernel lacks a module."""
    if not _BUSYBOX.is_file():
        raise VmError(f"make an initial RAM disk: {_BUSYBOX} is not there; install Debian's busybox-static, or run "
                      "tools/setup")
    modules = {file.name.removesuffix(".xz"): _content(file) for file in _in_loading_order(kernel.modules)}
    entries = [("bin", _DIRECTORY, b""), ("bin/busybox", _PROGRAM, _BUSYBOX.read_bytes()),
               ("init", _PROGRAM, _INIT.read_bytes()), ("modules", _DIRECTORY, b""),
               *((f"modules/{name}", _FILE, content) for name, content in modules.items()),
               ("modules/order", _FILE, "".join(f"{name}\n" for name in modules).encode()), ("TRAILER!!!", 0, b"")]
    Path(path).write_bytes(b"".join(_cpio(*entry) for entry in entries))


def _in_loading_order(directory):
    """The files of _MODULES and of what they depend on, each after its own dependencies."""
    dependencies = {}
    for line in (directory / "modules.dep").read_text().splitlines():
        file, _, needed = line.partition(":")
        dependencies[Path(file).name.partition(".")[0]] = [file, *needed.split()]
    built_in = {Path(line).stem for line in (directory / "modules.builtin").read_text().splitlines()}
    ordered = {}
    for name in _MODULES:
        if name in built_in:
            continue
        if name not in dependencies:
            raise VmError(f"make an initial RAM disk: the kernel of {directory} has no module {name}; Debian's cloud "
                          "kernels lack 9p, choose another --kernel")
        ordered |= {directory / file: None for file in reversed(dependencies[name])}
    return list(ordered)


def _content(module):
    return lzma.decompress(module.read_bytes()) if module.suffix == ".xz" else module.read_bytes()


def _cpio(name, mode, content):
    """One entry of a "newc" archive (Documentation/driver-api/early-userspace/buffer-format.rst)."""
    name = name.encode() + b"\0"
    fields = (0, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name
    return _padded(head) + _padded(content)


def _padded(data):
    return data + b"\0" * (-len(data) % 4)
