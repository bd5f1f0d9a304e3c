# SPDX-License-Identifier: Apache-2.0
"""Servers that send back what they get, and clients that see whether it is the same."""

import contextlib
import select
import socket
import threading

TIMEOUT_S = 30
_FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}


def family_of(address):
    return 6 if ":" in address else 4


@contextlib.contextmanager
def served(namespace, kind, address, port):
    """kind: socket.SOCK_STREAM or SOCK_DGRAM. A server in the namespace, for one connection or any number of datagrams."""
    with namespace.entered():
        listener = socket.socket(_FAMILY[family_of(address)], kind)
    stop, stopped = socket.socketpair()
    with listener, stop, stopped:
        listener.bind((address, port))
        listener.settimeout(TIMEOUT_S)
        serve = _serve_datagrams
        if kind == socket.SOCK_STREAM:
            listener.listen()
            serve = _serve_stream
        server = threading.Thread(target=serve, args=(listener, stopped), daemon=True)
        server.start()
        try:
            yield
        finally:
            stop.close()
            server.join(TIMEOUT_S)


def _arrived(listener, stopped):
    """Waits for somebody, or for the end of the test."""
    ready, _, _ = select.select([listener, stopped], [], [], TIMEOUT_S)
    return listener in ready


def _serve_stream(listener, stopped):
    if not _arrived(listener, stopped):
        return
    connection, _ = listener.accept()
    with connection, contextlib.suppress(OSError):  # what is missing is seen by the client
        connection.settimeout(TIMEOUT_S)
        while data := connection.recv(65536):
            connection.sendall(data)


def _serve_datagrams(listener, stopped):
    while _arrived(listener, stopped):
        data, client = listener.recvfrom(65536)
        listener.sendto(data, client)


def stream_echo(namespace, address, port, data):
    """What comes back when data is sent over one connection."""
    with namespace.entered():
        connection = socket.socket(_FAMILY[family_of(address)], socket.SOCK_STREAM)
    with connection:
        connection.settimeout(TIMEOUT_S)
        connection.connect((address, port))
        sender = threading.Thread(target=_send_all, args=(connection, data), daemon=True)
        sender.start()
        back = b""
        while received := connection.recv(65536):
            back += received
        sender.join(TIMEOUT_S)
        return back


def _send_all(connection, data):
    with contextlib.suppress(OSError):  # what is missing is seen on the way back
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)


def datagram_echo(namespace, address, port, datagrams):
    """What comes back to one socket, each datagram sent once and awaited."""
    with namespace.entered():
        client = socket.socket(_FAMILY[family_of(address)], socket.SOCK_DGRAM)
    with client:
        client.settimeout(TIMEOUT_S)
        client.connect((address, port))
        back = []
        for datagram in datagrams:
            client.send(datagram)
            back.append(client.recv(65536))
        return back
