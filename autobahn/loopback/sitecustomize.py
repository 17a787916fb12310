"""Read by the Python 2.7 that runs wstest, through PYTHONPATH.

wstest has no option for the interface that its fuzzing server binds: it takes
every one of them. A test run must not be reachable from the network, so the
empty address becomes the loopback address.
"""

import socket

_bind = socket.socket.bind


def _bind_to_loopback(self, address):
    if isinstance(address, tuple) and address[0] == "":
        address = ("127.0.0.1",) + address[1:]
    return _bind(self, address)


socket.socket.bind = _bind_to_loopback
