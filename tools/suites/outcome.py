# SPDX-License-Identifier: Apache-2.0
"""What a suite found."""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
RESULTS = BUILD / "test-results"


@dataclass(frozen=True)
class Case:
    name: str
    complaint: str = ""  # empty: passed

    @property
    def passed(self):
        return not self.complaint


def compared(listed, complaints):
    """The cases of a suite, from the names that it listed and {name: complaint} of those that ran.

    A listed case that did not run has failed; so has one that ran and was not listed and complained.
    """
    cases = [Case(name, complaints.get(name, "did not run")) for name in listed]
    return cases + [Case(name, text) for name, text in complaints.items() if name not in set(listed) and text]
