# SPDX-License-Identifier: Apache-2.0
"""What the demo prints, at most 80 columns wide."""

import time

_started = time.monotonic()


def say(line):
    print(f"{time.monotonic() - _started:5.1f} s  {line}", flush=True)


def second_line(progress):
    """One second of load, as a line."""
    served = {name: count for name, count in progress["backends"].items() if name}
    spread = " ".join(f"{name}:{count}" for name, count in sorted(served.items()))
    return f"  {progress['succeeded']:>6,} answers/s {progress['failed']:>5,} failed   {spread}"


def table(rows):
    """rows: (what happened, requests, failed, connections broken, longest gap in ms)."""
    lines = [f"{'what happened':<36} {'requests':>9} {'failed':>7} {'broken':>6} {'longest gap':>12}", "-" * 74]
    for what, requests, failed, broken, gap_ms in rows:
        lines.append(f"{what:<36} {requests:>9,} {failed:>7,} {broken:>6,} {gap_ms:>9,.0f} ms")
    return "\n".join(lines)
