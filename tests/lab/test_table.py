# SPDX-License-Identifier: Apache-2.0
"""Tables are a function of the configuration's meaning, not of its order and names."""

import pytest


def table_by_address(node, service):
    """[(address of primary, address of backup)], slot by slot."""
    addresses = {b["name"]: (b["address"], b["port"]) for b in node.query("backends") if b["service"] == service}
    return [(addresses[row["primary"]], addresses[row["backup"]]) for row in node.query("slots", service)["table"]]


def restart_with(node, config):
    """From nothing: no pins that a name or an index could have survived in."""
    node.forget()
    node.write_config(config)
    node.start()


@pytest.fixture
def lb2_told_otherwise(lab):
    """lb2 knows the same backends in another order and under other names."""
    node = lab.nodes["lb2"]
    original = node.read_config()
    config = node.read_config()
    config["services"].reverse()
    for service in config["services"]:
        service["backends"] = [member | {"name": "other-" + member["name"]} for member in reversed(service["backends"])]
    restart_with(node, config)
    lab.wait_all_up()
    yield
    restart_with(node, original)


def test_nodes_publish_one_table_whatever_the_order_and_names(lab, lb2_told_otherwise):
    for service in ("web", "ready", "web6", "direct6"):
        tables = [table_by_address(node, service) for node in lab.nodes.values()]
        assert len(tables[0]) == 65536
        assert tables[0] == tables[1], f"the tables of {service} differ"


def test_reload_to_another_order_and_names_changes_no_slot(lab):
    node = lab.nodes["lb1"]
    before, original = table_by_address(node, "web"), node.read_config()
    config = node.read_config()
    for service in config["services"]:
        service["backends"] = [member | {"name": "other-" + member["name"]} for member in reversed(service["backends"])]
    node.write_config(config)
    try:
        node.cli("reload")
        assert table_by_address(node, "web") == before
    finally:
        node.write_config(original)
        node.cli("reload")


def test_both_nodes_show_one_digest(lab):
    for service in ("web", "ready", "datagram", "web6", "direct", "direct6"):
        assert lab.nodes["lb1"].digest(service) == lab.nodes["lb2"].digest(service)
