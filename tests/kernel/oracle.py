# SPDX-License-Identifier: Apache-2.0
"""Judges frames with scapy, which shares no code with the product: reads one a line as hex, answers one line each.

The answer is the chain of headers, outermost first, with their addresses and ports:
"IP 10.0.0.5>10.0.1.11 / UDP 50000>6080 / GUE / IP 203.0.113.7>198.51.100.10 / TCP 40000>80", or "wrong: " and what.
Every length and checksum is compared with what scapy writes when it builds the same packet anew; the packet that an
ICMP error quotes is judged likewise, where it is quoted whole. Several frames in a line are the fragments of a
datagram, and are judged put together.
"""

import logging
import sys

logging.getLogger("scapy").setLevel(logging.ERROR)

# ruff: noqa: E402
from scapy.fields import BitField, ByteField, ShortField, StrLenField
from scapy.layers.inet import ICMP, IP, TCP, UDP, defragment
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment, _ICMPv6, _ICMPv6Error, defragment6
from scapy.layers.l2 import Ether
from scapy.packet import Packet, bind_layers

GUE_PORT = 6080
ICMP_ERRORS = (3, 4, 5, 11, 12)
COMPUTED = ("len", "plen", "chksum", "cksum", "ihl", "dataofs")


class GUE(Packet):
    name = "GUE"
    fields_desc = [
        BitField("version", 0, 2),
        BitField("control", 0, 1),
        BitField("words", 0, 5),
        ByteField("protocol", 4),
        ShortField("flags", 0),
        StrLenField("private", b"", length_from=lambda header: header.words * 4),
    ]


bind_layers(UDP, GUE, dport=GUE_PORT)
bind_layers(GUE, IP, protocol=4)
bind_layers(GUE, IPv6, protocol=41)


def layers_of(packet):
    while packet:
        yield packet
        packet = packet.payload


def describe(layer):
    if isinstance(layer, (IP, IPv6)):
        return f"{layer.__class__.__name__} {layer.src}>{layer.dst}"
    if isinstance(layer, (TCP, UDP)):
        return f"{layer.__class__.__name__} {layer.sport}>{layer.dport}"
    if isinstance(layer, (ICMP, _ICMPv6)):
        return f"ICMP {layer.type}/{layer.code}"
    return layer.__class__.__name__


def quoted(layer):
    """The bytes that an ICMP error quotes."""
    if isinstance(layer, ICMP) and layer.type in ICMP_ERRORS:
        return bytes(layer.payload)
    return bytes(layer.payload) if isinstance(layer, _ICMPv6Error) else None


def built_anew(packet):
    fresh = packet.copy()
    for layer in layers_of(fresh):
        for field in COMPUTED:
            if field in layer.fields and not (isinstance(layer, UDP) and field == "chksum" and not layer.chksum):
                layer.delfieldval(field)
        if quoted(layer) is not None:
            layer.remove_payload()
            layer.add_payload(quoted(packet[layer.__class__]))
            break
    return bytes(fresh)


def parse_ip(data):
    return IPv6(data) if data[0] >> 4 == 6 else IP(data)


def judge(packet):
    """The headers' descriptions; raises ValueError for the first thing that is wrong."""
    original = bytes(packet.original)
    if built_anew(packet) != original:
        raise ValueError(f"scapy makes {built_anew(packet).hex()} of {original.hex()}")
    found = []
    for layer in layers_of(packet):
        if layer.__class__.__name__ in ("Ether", "Raw", "Padding"):
            continue
        found.append(describe(layer))
        quote = quoted(layer)
        if quote is not None:
            return found + judge_quote(quote)
    return found


def judge_quote(quote):
    inner = parse_ip(quote)
    length = inner.len if isinstance(inner, IP) else inner.plen + 40
    if length == len(quote):
        return ["quote"] + judge(inner)
    if isinstance(inner, IP):
        header = IP(quote[: inner.ihl * 4])
        sound = header.chksum
        header.delfieldval("chksum")
        if IP(bytes(header)).chksum != sound:
            raise ValueError(f"the quoted header's checksum is {sound:#x}")
    return ["quote, cut", describe(inner)]


def put_together(frames):
    packets = [parse_ip(bytes(Ether(frame).payload)) for frame in frames]
    for packet in packets:
        if isinstance(packet, IP):
            header = IP(bytes(packet)[: packet.ihl * 4])
            header.delfieldval("chksum")
            if IP(bytes(header)).chksum != packet.chksum:
                raise ValueError(f"a fragment's header has the checksum {packet.chksum:#x}")
    if IPv6ExtHdrFragment in packets[0]:
        return IPv6(bytes(defragment6(packets)))
    whole = defragment(packets)
    if len(whole) != 1:
        raise ValueError(f"they make {len(whole)} datagrams")
    whole = whole[0]
    whole.delfieldval("chksum")
    return IP(bytes(whole))


def answer(line):
    frames = [bytes.fromhex(word) for word in line.split()]
    try:
        packet = parse_ip(bytes(Ether(frames[0]).payload)) if len(frames) == 1 else put_together(frames)
        return " / ".join(judge(packet))
    except ValueError as error:
        return f"wrong: {error}"


for request in sys.stdin:
    print(answer(request), flush=True)
