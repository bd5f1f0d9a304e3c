# SPDX-License-Identifier: Apache-2.0
"""A machine that boots, runs one command over the host's files, and is gone."""

import contextlib
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from virtual_machine.errors import VmError
from virtual_machine.initial_ram_disk import write_initial_ram_disk
from virtual_machine.kernel_package import SYSTEM_PATH

_QEMU = "qemu-system-x86_64"
_CONSOLE_TAIL_LINES = 25


class DeadlineError(VmError):
    pass


@dataclass(frozen=True)
class Size:
    cpus: int
    memory_mib: int


def run(kernel, command, size, deadline_s, writable, directory):
    """Boots kernel, runs command (a list of words) as its root in directory, and returns the exit status.

    Output goes where ours goes. The root is the host's, read-only, with a layer in memory over it; the folders of
    `writable` are the host's own. DeadlineError if it is not done in time, VmError if the machine came to grief.
    """
    if shutil.which(_QEMU) is None:
        raise VmError(f"run {_QEMU}: it is not there; install Debian's qemu-system-x86, or run tools/setup")
    with tempfile.TemporaryDirectory(prefix="phalanx-vm.") as run_directory:
        run_directory = Path(run_directory)
        write_initial_ram_disk(kernel, run_directory / "initial_ram_disk")
        _write_orders(run_directory, kernel, command, writable, directory)
        with _copied_to(sys.stdout) as output, _copied_to(sys.stderr) as errors:
            ports = {"output": output, "errors": errors}
            _boot(_words(run_directory, kernel, size, writable, ports), tuple(ports.values()), deadline_s)
        return _status(run_directory)


def _write_orders(run_directory, kernel, command, writable, directory):
    """What guest_init reads."""
    (run_directory / "modules").write_text(f"{kernel.modules.resolve().parent}\n")
    (run_directory / "writable").write_text("".join(f"{i}:{path}\n" for i, path in enumerate(writable)))
    (run_directory / "command").write_text(
        f"cd {shlex.quote(str(directory))} || exit 125\n"
        f"exec env -i HOME=/root LANG=C.UTF-8 PATH={SYSTEM_PATH} {shlex.join(command)}\n")


def _words(run_directory, kernel, size, writable, ports):
    """ports: {name: descriptor that what the guest writes there goes to}"""
    shares = [_share("host", "/", "readonly=on"), _share("run", run_directory)]
    shares += [_share(f"writable{i}", path) for i, path in enumerate(writable)]
    return [_QEMU, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", str(size.cpus), "-m", str(size.memory_mib),
            "-kernel", str(kernel.image), "-initrd", f"{run_directory}/initial_ram_disk",
            "-append", "console=ttyS0 quiet panic=-1 mitigations=off random.trust_cpu=on",
            "-serial", f"file:{run_directory}/console", "-device", "virtio-serial-pci",
            *(word for name, descriptor in ports.items() for word in (
                "-chardev", f"file,id={name},path=/dev/fd/{descriptor}",
                "-device", f"virtserialport,chardev={name},name={name}")),
            *(word for share in shares for word in ("-virtfs", share))]


def _share(tag, path, more="readonly=off"):
    # multidevs: the host's root may have several file systems, whose inode numbers must not collide.
    return f"local,mount_tag={tag},security_model=none,multidevs=remap,{more},path={str(path).replace(',', ',,')}"


@contextlib.contextmanager
def _copied_to(stream):
    """The end of a pipe, what is written into which goes to stream: qemu opens paths, and would cut a file short."""
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=stream, start_new_session=True) as copier:
        try:
            yield copier.stdin.fileno()
        finally:
            copier.stdin.close()


def _boot(words, descriptors, deadline_s):
    """Returns when the machine is off."""
    # The machine ends with us, even by SIGKILL.
    machine = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *words], stdin=subprocess.DEVNULL,
                               pass_fds=descriptors, start_new_session=True)
    try:
        machine.wait(deadline_s)
    except subprocess.TimeoutExpired as error:
        raise DeadlineError(f"run a command in the virtual machine: not done after {deadline_s:g} s, and switched off; "
                            "raise --deadline if it needs more") from error
    finally:
        machine.kill()
        machine.wait()


def _status(run_directory):
    try:
        return int((run_directory / "status").read_text())
    except (FileNotFoundError, ValueError) as error:
        console = run_directory / "console"
        said = console.read_text(errors="replace").splitlines() if console.exists() else []
        raise VmError("\n".join(["run a command in the virtual machine: it went off before the command was done; its "
                                 "console's last lines:", *said[-_CONSOLE_TAIL_LINES:]])) from error
