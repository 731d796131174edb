"""Runs an emulator of AWS on loopback until its standard input closes, which it does when whoever started it ends.

Usage: emulator.py (ministack | moto | localstack) PORT
"""

import os
import shutil
import signal
import sys
import tempfile
import threading

# What an emulator writes, and is gone when it ends.
SCRATCH = tempfile.mkdtemp(prefix="emulator-")


def end_with_the_pipe():
    """It and the functions that it runs are one group of processes."""
    os.setpgrp()

    def watch():
        sys.stdin.buffer.read()
        shutil.rmtree(SCRATCH, ignore_errors=True)
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


def localstack(port):
    os.environ.update(
        GATEWAY_LISTEN=f"127.0.0.1:{port}",
        # The default server does not start with the packages that are there.
        GATEWAY_SERVER="hypercorn",
        # Neither a name server on every interface nor a word to anybody outside.
        DNS_ADDRESS="0",
        DISABLE_EVENTS="1",
        SKIP_SSL_CERT_DOWNLOAD="1",
        SKIP_INFRA_DOWNLOADS="1",
        TMPDIR=SCRATCH,
    )
    tempfile.tempdir = SCRATCH
    from localstack.runtime.main import main

    main()


end_with_the_pipe()
os.environ.update(NO_PROXY="*", PYTHONUNBUFFERED="1")
name, port = sys.argv[1:]
# MiniStack reads the command line too.
del sys.argv[1:]
{"ministack": ministack, "moto": moto, "localstack": localstack}[name](port)
