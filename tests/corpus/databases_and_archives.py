# More of the standard library that holds state outside of Python.
# %%
import mmap
import os
import shelve
import socket
import sqlite3
import tempfile
import zipfile

with sqlite3.connect(":memory:") as database:
    print(database.execute("select sqlite_version() > '3', 1 + 1").fetchall())
# %%
with tempfile.TemporaryFile() as file:
    file.write(b"mapped")
    file.flush()
    print(mmap.mmap(file.fileno(), 6)[:])
# %%
left, right = socket.socketpair()
left.send(b"over a socket")
right.recv(100), left.getblocking(), socket.getdefaulttimeout()
# %%
with shelve.open("shelf") as shelf:
    shelf["a"] = [1]
with zipfile.ZipFile("archive.zip", "w") as archive:
    archive.writestr("a.txt", "a")
zipfile.ZipFile("archive.zip").namelist()
# %%
import http.server
import threading
import urllib.request

server = http.server.HTTPServer(
    ("127.0.0.1", 0),
    type(
        "Quiet",
        (http.server.BaseHTTPRequestHandler,),
        {"do_GET": lambda self: (self.send_response(204), self.end_headers()), "log_message": lambda *args: None},
    ),
)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"http://127.0.0.1:{server.server_port}/").status
)
server.shutdown()
