# SPDX-License-Identifier: Apache-2.0
"""Where the built programs lie."""

import os
from pathlib import Path

from lab_network.errors import LabError

ROOT = Path(__file__).resolve().parents[2]
# Another preset's binaries (asan-ubsan, tsan) are tried by naming their build directory.
BUILD = Path(os.environ.get("PHALANX_BUILD", ROOT / "build"))
PASS_OBJECT = BUILD / "tools/lab_network/lab_pass.bpf.o"


def binary(name):
    """Path of build/bin/`name`; LabError if it was not built."""
    path = BUILD / "bin" / name
    if not path.exists():
        raise LabError(f"find {path}: it is not built; run tools/setup")
    return path
