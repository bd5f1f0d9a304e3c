# SPDX-License-Identifier: Apache-2.0
"""tools/vm: another kernel over this host's files."""
