"""Runs an emulator of AWS on loopback until its standard input closes, which it does when whoever started it ends.

Usage: emulator.py (ministack | moto) PORT
"""

import os
import signal
import sys
import threading


def end_with_the_pipe():
    """It and the functions that it runs are one group of processes."""
    os.setpgrp()

    def watch():
        sys.stdin.buffer.read()
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


def ministack(port):
    os.environ.update(
        GATEWAY_PORT=port,
        BIND_HOST="127.0.0.1",
        # Where its functions find the services: its own default is a port that nobody listens on.
        AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}",
        # Side ports that would listen on every interface.
        SFTP_ENABLED="0",
        IOT_MTLS_ENABLED="0",
        LAMBDA_EXECUTOR="local",
    )
    from ministack.app import main

    main()


def moto(port):
    from moto.server import main

    main(["-H", "127.0.0.1", "-p", port])


end_with_the_pipe()
os.environ.update(NO_PROXY="*", PYTHONUNBUFFERED="1")
name, port = sys.argv[1:]
# MiniStack reads the command line too.
del sys.argv[1:]
{"ministack": ministack, "moto": moto}[name](port)
