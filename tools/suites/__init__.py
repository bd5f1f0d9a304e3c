# SPDX-License-Identifier: Apache-2.0
"""tools/test: runs every suite and counts; what did not run counts as failed."""
