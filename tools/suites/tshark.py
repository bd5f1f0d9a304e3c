# SPDX-License-Identifier: Apache-2.0
"""tshark reads every frame that the programs sent in a run of the kernel tests."""

import os
import shutil

from suites.child import run
from suites.outcome import RESULTS, ROOT, Case

FRAMES = RESULTS / "frames"
GUE = ROOT / "tests" / "kernel" / "gue.lua"
LIMIT_S = 300
# 0: "bad". Of a packet that an ICMP error quotes there may be less than its checksum is about.
WRONG = ("_ws.malformed || ip.checksum.status == 0 || icmp.checksum.status == 0 || icmpv6.checksum.status == 0 || "
         "(!icmp && !icmpv6 && (tcp.checksum.status == 0 || udp.checksum.status == 0))")


def log_frames():
    """The runs of the kernel tests that follow write what their programs sent."""
    shutil.rmtree(FRAMES, ignore_errors=True)
    FRAMES.mkdir(parents=True)
    os.environ["PHX_FRAME_LOG"] = str(FRAMES)


def log_no_frames():
    os.environ.pop("PHX_FRAME_LOG", None)


def read_by_tshark():
    """A frame is wrong that tshark objects to, unless it objects to what the frame was made of."""
    name = "tshark finds every frame that the programs sent well-formed"
    try:
        sent, wrong = _numbers("out.pcap", ""), _numbers("out.pcap", WRONG) - _numbers("in.pcap", WRONG)
    except RuntimeError as error:
        return Case(name, str(error))
    if not sent:
        return Case(name, f"{FRAMES}/out.pcap holds no frame")
    listed = ", ".join(map(str, sorted(wrong)[:20]))
    return Case(name, f"{len(wrong)} of {len(sent)} are not: frames {listed} of {FRAMES}/out.pcap" if wrong else "")


def _numbers(capture, display_filter):
    argv = ["tshark", "-X", f"lua_script:{GUE}", "-r", FRAMES / capture, "-T", "fields", "-e", "frame.number",
            "-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE",
            "-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"]
    log = RESULTS / f"tshark-{capture}.log"
    done = run([*argv, *(["-Y", display_filter] if display_filter else [])], LIMIT_S, ROOT, log)
    if done.status != 0:
        raise RuntimeError(f"tshark could not read {FRAMES}/{capture}:\n{done.tail()}")
    return {int(line) for line in done.output.split() if line.isdigit()}
