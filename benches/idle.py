"""Opens many keep-alive connections, each with one request behind it, runs a command while they idle,
and closes them: python3 idle.py ADDRESS COOKIE NUMBER COMMAND..."""

import socket
import subprocess
import sys
import urllib.parse

address, cookie, number, *command = sys.argv[1:]
place = urllib.parse.urlsplit(address)
request = f"GET / HTTP/1.1\r\nHost: {place.netloc}\r\nCookie: {cookie}\r\n\r\n".encode()
connections = []
for _ in range(int(number)):
    connection = socket.create_connection(("127.0.0.1", place.port), timeout=30)
    connection.sendall(request)
    answer = b""
    while b"\r\n\r\n" not in answer:
        part = connection.recv(65536)
        assert part, "the connection was closed"
        answer += part
    head, body = answer.split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 200"), head
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    while len(body) < length:
        body += connection.recv(65536)
    connections.append(connection)
result = subprocess.run(command).returncode
# Still open: a connection that the other side has closed is readable and empty.
for connection in connections:
    connection.setblocking(False)
    try:
        assert connection.recv(1), "an idle connection was closed"
    except BlockingIOError:
        pass
sys.exit(result)
