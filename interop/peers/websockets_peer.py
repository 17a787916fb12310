"""The end of Python's websockets: see src/main.rs for the arguments."""

import os
import random
import ssl
import sys

from websockets.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    ServerPerMessageDeflateFactory,
)
from websockets.sync.client import connect
from websockets.sync.server import serve


def tls(purpose):
    """What the files CERT and KEY make, if there are any."""
    if "CERT" not in os.environ:
        return None
    if purpose is ssl.Purpose.SERVER_AUTH:
        return ssl.create_default_context(cafile=os.environ["CERT"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.environ["CERT"], os.environ["KEY"])
    return context


def check(websocket, forbidden, bits):
    """Compression is on, and as agreed."""
    [extension] = websocket.protocol.extensions
    assert extension.name == "permessage-deflate", extension
    assert extension.remote_no_context_takeover == forbidden, extension
    assert extension.local_no_context_takeover == forbidden, extension
    assert extension.remote_max_window_bits <= bits, extension
    assert extension.local_max_window_bits <= bits, extension


def run_server(forbidden, bits):
    extension = ServerPerMessageDeflateFactory(
        server_no_context_takeover=forbidden, client_no_context_takeover=forbidden,
        server_max_window_bits=bits, client_max_window_bits=bits)

    def echo(websocket):
        check(websocket, forbidden, bits)
        for message in websocket:
            websocket.send(message)

    with serve(echo, "127.0.0.1", 0, compression=None, extensions=[extension],
               max_size=None, ssl=tls(ssl.Purpose.CLIENT_AUTH)) as server:
        print(server.socket.getsockname()[1], flush=True)
        server.serve_forever()


def run_client(forbidden, bits, url):
    extension = ClientPerMessageDeflateFactory(
        server_no_context_takeover=forbidden, client_no_context_takeover=forbidden,
        server_max_window_bits=bits, client_max_window_bits=bits)
    numbers = random.Random(7)
    with connect(url, compression=None, extensions=[extension], max_size=None,
                 ssl=tls(ssl.Purpose.SERVER_AUTH)) as websocket:
        check(websocket, forbidden, bits)
        for length in [0, 1, 125, 126, 1_000, 65_535, 65_536, 1 << 20] * 2:
            text = "".join(f'{{"id": {i}}}, ' for i in range(length // 8 + 1))[:length]
            for message in [text, text.replace("i", "💩"), text.encode(), numbers.randbytes(length)]:
                websocket.send(message)
                assert websocket.recv() == message, length
                third = length // 3
                websocket.send([message[:third], message[third:third], message[third:]])
                assert websocket.recv() == message, length
    assert websocket.protocol.close_code == 1000, websocket.protocol.close_code


mode, takeover, window = sys.argv[1:4]
if mode == "serve":
    run_server(takeover == "forbidden", int(window))
else:
    run_client(takeover == "forbidden", int(window), sys.argv[4])
