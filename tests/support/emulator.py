"""Runs an AWS emulator on loopback until its standard input closes, which happens when its parent process ends.

Usage: emulator.py (ministack | moto | localstack) PORT
"""

import os
import shutil
import signal
import sys
import tempfile
import threading

# The files of the emulator, deleted when it ends.
SCRATCH = tempfile.mkdtemp(prefix="emulator-")


def end_with_the_pipe():
    """Ends the emulator and the functions that it runs, which are one process group."""
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
        # The address at which its functions find the services; nothing listens on the default port.
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
        # The default server does not start with the installed packages.
        GATEWAY_SERVER="hypercorn",
        # No name server on every interface, and no telemetry.
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
# MiniStack also reads the command line.
del sys.argv[1:]
{"ministack": ministack, "moto": moto, "localstack": localstack}[name](port)
