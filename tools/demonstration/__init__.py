# SPDX-License-Identifier: Apache-2.0
"""tools/demo: what clients feel while parts of the lab die and come back."""
