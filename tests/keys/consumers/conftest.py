"""Programs on loopback, started and stopped by their process id."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import subprocess
import threading
import time
from pathlib import Path

import pytest


class Programs:
    """Starts programs; everything still running at the end is stopped."""

    def __init__(self, directory):
        self.directory = directory
        self.stack = contextlib.ExitStack()

    def port(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return probe.getsockname()[1]

    def start(self, arguments, port=None):
        """Start a server; return its process, and wait until it has the port."""
        log = self.stack.enter_context((self.directory / f"log-{id(arguments)}").open("w+b"))
        process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=log, stderr=log)
        self.stack.callback(self.stop, process)
        process.log = log.name
        for _ in range(250):
            if port is None or self.taken(port):
                return process
            time.sleep(0.02)
        raise AssertionError(f"{arguments[0]} did not start: " + self.said(process))

    def stop(self, process):
        if process.poll() is None:
            process.kill()
        process.wait(10)
        process.stdin.close()

    def said(self, process):
        with Path(process.log).open(errors="replace") as log:
            return log.read()

    @staticmethod
    def taken(port):
        with socket.socket() as probe:
            # No SO_REUSEADDR, and no connection: a server of one session would take that for the session.
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return True
        return False

    def talk(self, arguments, text, until, wait=6):
        """Run a client, send a line, read until it comes back or the client ends; return all it said."""
        process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            process.stdin.write(text.encode() + b"\n")
            process.stdin.flush()
            out = b""
            end = time.monotonic() + wait
            while until.encode() not in out and time.monotonic() < end and (line := process.stdout.readline()):
                out += line
            return out.decode(errors="replace")
        finally:
            process.kill()
            process.wait(10)
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
            process.stdout.close()

    def ask(self, port, text, wait=3):
        """Send a line over plain TCP; return the answer, empty when the other side hangs up."""
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), wait) as wire:
            wire.settimeout(wait)
            wire.sendall(text.encode() + b"\n")
            return wire.recv(1000).decode()
        return ""


@pytest.fixture
def programs(tmp_path):
    found = Programs(tmp_path)
    with found.stack:
        yield found


@pytest.fixture
def echo():
    """Serve plain TCP on loopback: each line comes back reversed."""

    class Reverse(socketserver.StreamRequestHandler):
        def handle(self):
            for line in self.rfile:
                self.wfile.write(line.strip()[::-1] + b"\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Reverse) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()
