# SPDX-License-Identifier: Apache-2.0
"""The kernel tests, with BPF objects by each compiler: in this host's kernel, and in Linux 6.1 in a virtual machine, where
there are the kernel's tunnel devices too."""

from concurrent.futures import ThreadPoolExecutor

from suites.child import end_all
from suites.gtest import LIMIT_S, run_gtest
from suites.outcome import RESULTS, ROOT, Case
from suites.pytest import run_pytest
from suites.tshark import log_frames, log_no_frames, read_by_tshark

_CLANG_19 = "clang 19: "  # so begin the names of cases that use its objects
_PROGRAMS = {"": "kernel_tests", _CLANG_19: "kernel_tests_clang_19"}
# An emulated processor is slow: what has no BPF object of this compiler's in it, it need not do twice.
_NOT_IN_LINUX_6_1 = {"kernel_tests": "",
                     "kernel_tests_clang_19": "DaemonCrash.*:NodeTest.*:BalancerMapsTest.*:TakeOver*:PinDirectoryTest.*:"
                                              "XdpLinkTest.*:VipCacheTest.*:Oracle.*"}
_IN_LINUX_6_1 = {"kernel_tests": "AgentKnown.*:AgentAdmit*",
                     "kernel_tests_clang_19": "AgentKnown.*:AgentAdmit*:AgentPassing.*:AgentTcp.*:AgentUdp.*"}
_IN_LINUX_6_1 = (ROOT / "tools" / "vm", "run", "--deadline", LIMIT_S - 60, "--writable", RESULTS)


def run_kernel():
    cases = []
    for prefix, program in _PROGRAMS.items():
        log_frames()
        cases += [Case(prefix + case.name, case.complaint) for case in [*run_gtest(program), read_by_tshark()]]
    log_no_frames()
    return cases


def run_vm():
    """Two machines at a time: each emulates one processor's worth of work."""
    pool = ThreadPoolExecutor(2)
    try:
        runs = [(prefix, pool.submit(run_gtest, program, _IN_LINUX_6_1, f"vm_{program}", _NOT_IN_LINUX_6_1[program]))
                for prefix, program in _PROGRAMS.items()]
        runs.append(("", pool.submit(run_pytest, "vm", _IN_LINUX_6_1)))
        return [Case(prefix + case.name, case.complaint) for prefix, done in runs for case in done.result()]
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        end_all()
        raise
