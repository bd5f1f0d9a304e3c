# SPDX-License-Identifier: Apache-2.0
"""A small data centre in network namespaces: client, router, two nodes, four backends in two racks."""

from lab_network.errors import LabError
from lab_network.lab import Lab

__all__ = ["Lab", "LabError"]
