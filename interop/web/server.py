"""A server for interop/web, with Python's `websockets`: the path says what it does."""

import asyncio
import http
import urllib.parse

import websockets.asyncio.server
import websockets.exceptions


async def serve(connection):
    url = urllib.parse.urlsplit(connection.request.path)
    query = dict(urllib.parse.parse_qsl(url.query))
    match url.path:
        case "/greet":
            await connection.send("Grüße")
            await connection.send(b"\x00\xff")
            await connection.close(1000, "bye")
        case "/close":
            await connection.close(int(query["code"]), query.get("reason", ""))
        case "/abort":
            connection.transport.abort()
        case "/violate":
            connection.transport.write(b"\xc1\x00")
        case "/hold":
            # Reads nothing until the program has had the time to look at bufferedAmount.
            await asyncio.sleep(float(query["seconds"]))
    received = 0
    try:
        async for message in connection:
            received += len(message)
            if url.path in ("/echo", "/"):
                await connection.send(message)
    except websockets.exceptions.ConnectionClosed:
        pass
    print(f"{url.path} {received} {connection.close_code} {connection.close_reason}", flush=True)


async def before(connection, request):
    if request.path == "/slow":
        await asyncio.sleep(2)
    if request.path == "/refuse":
        return connection.respond(http.HTTPStatus.FORBIDDEN, "no\n")
    return None


def choose(connection, offered):
    return "protocolTwo" if "protocolTwo" in offered else None


async def main():
    async with websockets.asyncio.server.serve(
        serve,
        "127.0.0.1",
        0,
        process_request=before,
        select_subprotocol=choose,
        compression=None,
        max_queue=1,
    ) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


asyncio.run(main())
