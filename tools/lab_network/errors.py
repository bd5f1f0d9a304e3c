# SPDX-License-Identifier: Apache-2.0
"""What goes wrong in a lab, as a sentence: what was tried, on what, why it failed, what to do."""


class LabError(Exception):
    pass
