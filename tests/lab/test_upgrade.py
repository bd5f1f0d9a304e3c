# SPDX-License-Identifier: Apache-2.0
"""Another version of daemon and packet path takes over what is pinned; connections do not notice."""

import struct
import subprocess
import time

import pytest
from lab_network.node import BUILDS

OBSERVED_S = 2
LAYOUT_OFFSET = 8  # of phx_state_header.layout_version
PAGE = 4096


@pytest.fixture
def first_build(lab):
    """Whatever a test upgraded is the first build again."""
    yield
    for name, node in lab.nodes.items():
        if node.build != BUILDS[0]:
            if node.process.pid() is None:
                node.start()
            lab.upgrade(name)


def observe(load):
    """Lets the load run for a while; what it felt is asserted afterwards."""
    seen = len(load.seconds())
    while len(load.seconds()) < seen + OBSERVED_S:
        time.sleep(0.02)


def expect_nothing_felt(load, owners):
    assert load.backends() == owners, "flows moved to other backends"
    summary = load.stop()
    assert (summary["failed"], summary["breaks"]) == (0, 0), load.failures[:5] + load.breaks[:5]


def bpftool(node, *words):
    return subprocess.run(["bpftool", *(str(w) for w in words)], check=True, capture_output=True, text=True).stdout


def first_page(node):
    line = bpftool(node, "-j", "map", "lookup", "pinned", node.pin_dir / "state", "key", 0, 0, 0, 0)
    text = line[line.index('"value"'):]
    return bytes(int(byte, 16) for byte in text[text.index("[") + 1:text.index("]")].replace('"', "").split(","))


def set_layout(node, version):
    """What the pins of a node say of their layout, as a process of another version would have written it."""
    page = bytearray(first_page(node))
    assert len(page) == PAGE
    page[LAYOUT_OFFSET:LAYOUT_OFFSET + 4] = struct.pack("<I", version)
    bpftool(node, "map", "update", "pinned", node.pin_dir / "state", "key", 0, 0, 0, 0, "value", *page)


def layout(node):
    return struct.unpack_from("<I", first_page(node), LAYOUT_OFFSET)[0]


def test_rolling_upgrade_of_all_nodes_under_load_costs_nothing(lab, load, first_build):
    owners = load.backends()
    digests = {name: node.digest("web") for name, node in lab.nodes.items()}
    for _ in range(2):  # to the other build, and back
        for name in lab.nodes:
            lab.upgrade(name)
            observe(load)
    assert {name: node.digest("web") for name, node in lab.nodes.items()} == digests
    expect_nothing_felt(load, owners)


@pytest.fixture
def two_interfaces(lab):
    """lb1 serves on both of its interfaces."""
    node = lab.nodes["lb1"]
    config = node.read_config()
    node.write_config(config | {"node": config["node"] | {"interfaces": ["eth0", "eth1"]}})
    node.cli("reload")
    yield node
    node.write_config(config)
    lab.revive("lb1")
    node.cli("reload")


def test_an_upgrade_that_can_not_swap_one_interface_swaps_none(lab, load, two_interfaces):
    """The second interface's link is not where it was, so that nothing can be attached there in its stead."""
    node, owners = two_interfaces, load.backends()
    before = node.programs()
    assert len(before) == 2
    node.process.end()
    link, aside = node.pin_dir / "link-eth1", node.pin_dir / "aside"
    link.rename(aside)
    node.build = BUILDS[1]
    refused = lab.namespaces["lb1"].run(*node.daemon_argv(), check=False)
    node.build = BUILDS[0]
    aside.rename(link)
    assert refused.returncode == 1 and "attach to eth1" in refused.stderr, refused.stderr
    observe(load)
    assert node.programs() == before
    expect_nothing_felt(load, owners)


def test_a_layout_of_another_version_is_refused_with_a_reason_and_stays_in_force(lab, load):
    node = lab.nodes["lb1"]
    owners, before, known = load.backends(), node.programs(), layout(node)
    node.process.end()
    set_layout(node, 99)
    try:
        refused = lab.namespaces["lb1"].run(*node.daemon_argv(), check=False)
        assert refused.returncode == 1
        assert "layout 99" in refused.stderr and "nothing was touched" in refused.stderr, refused.stderr
        observe(load)
        assert layout(node) == 99
    finally:
        set_layout(node, known)
    assert node.programs() == before
    node.start()
    expect_nothing_felt(load, owners)


def test_a_layout_that_lacks_maps_and_counters_is_brought_up_to_date_under_load(lab, load):
    """As the first version of this layout's predecessor left it: without the newest maps, and with fewer counters."""
    node = lab.nodes["lb1"]
    owners, known = load.backends(), layout(node)
    node.cli("disable", "b4", "--service", "gue")
    status = node.query("status")
    node.process.end()
    for name in ("liveness", "watch"):
        (node.pin_dir / name).unlink()
    counters = node.pin_dir / "counters"
    counters.unlink()
    bpftool(node, "map", "create", counters, "type", "percpu_array", "key", 4, "value", 8, "entries",
            len(status["counters"]) - 1, "name", "counters")
    set_layout(node, known - 1)
    seen = node.cli("status", check=False)
    assert seen.returncode == 1 and "takes it over" in seen.stderr, "the CLI of another layout says what to do"

    node.start()
    observe(load)
    assert layout(node) == known
    after = node.query("status")
    assert after["generation"] == status["generation"]
    assert {i["mode"] for i in after["interfaces"]} == {i["mode"] for i in status["interfaces"]}
    assert node.backend_states()[("gue", "b4")] == "disabled"
    assert (node.pin_dir / "liveness").exists() and (node.pin_dir / "watch").exists()
    node.cli("enable", "b4", "--service", "gue")
    expect_nothing_felt(load, owners)
