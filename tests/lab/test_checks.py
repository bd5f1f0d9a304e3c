# SPDX-License-Identifier: Apache-2.0
"""Two services on the same backends by the same addresses, each with a check of its own."""

import pytest
from lab_network.services import DETECTION_S, READY, WEB

EVERYBODY = {"b1", "b2", "b3", "b4"}


@pytest.mark.parametrize("path, failing, other", [("ready", READY, WEB), ("healthz", WEB, READY)],
                         ids=["ready_fails_alone", "web_fails_alone"])
def test_services_on_one_address_fail_independently(lab, path, failing, other):
    lab.web_servers["b2"].fail_check(path)
    lab.wait_states(lambda states: states[failing["name"], "b2"] == "down", f"b2 of {failing['name']} down",
                    within=DETECTION_S + 2)
    lab.wait_states(lambda states: states[other["name"], "b2"] == "up", f"b2 of {other['name']} up", within=0.1)
    lab.expect_only(EVERYBODY - {"b2"}, within=2, vip=failing["vips"][0])
    lab.expect_only(EVERYBODY, within=2, vip=other["vips"][0])
