# SPDX-License-Identifier: Apache-2.0
"""Simple HTTP clients for asking who answers."""

import socket


def answers(namespace, address, count, port=80, timeout=1.0):
    """The bodies of `count` requests to address:port, each on a new connection from inside `namespace`.

    Where a request fails, the error's text stands in the body's place.
    """
    with namespace.entered():
        return [_answer(address, port, timeout) for _ in range(count)]


def _answer(address, port, timeout):
    try:
        with socket.create_connection((address, port), timeout=timeout) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            with connection.makefile("rb") as stream:
                return stream.read().split(b"\r\n\r\n", 1)[-1].decode().strip()
    except OSError as error:
        return f"error: {error}"
