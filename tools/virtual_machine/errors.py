# SPDX-License-Identifier: Apache-2.0
"""What goes wrong with a virtual machine, as a sentence: what was tried, on what, why it failed, what to do."""


class VmError(Exception):
    pass
