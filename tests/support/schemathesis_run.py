"""Starts `peersync-deploy local`, and lets schemathesis try every operation of the API's own document against it.

Usage: schemathesis_run.py DEPLOYER
"""

import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

READY = 30
"""Seconds after which a `local` that does not answer is given up."""

# A limit that answers 429 is no finding: the document names it. Data that the schema allows and the service refuses
# (an unknown address, a used code) is what the service is for.
LEFT_OUT = "positive_data_acceptance"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait(url):
    end = time.monotonic() + READY
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    sys.exit(f"`local` does not answer at {url}")


def main(deployer):
    port = free_port()
    base = f"http://localhost:{port}"
    document = pathlib.Path(__file__).parents[2] / "assets/openapi.json"
    with tempfile.TemporaryDirectory() as folder:
        arguments = [deployer, "local", "--ephemeral", "--embedded", "--port", str(port)]
        local = subprocess.Popen(arguments, cwd=folder, stdin=subprocess.DEVNULL)
        try:
            wait(f"{base}/api/health")
            tool = pathlib.Path(sys.executable).with_name("schemathesis")
            run = [tool, "run", document, "--url", f"{base}/api", "--header", f"Origin: {base}", "--seed", "1"]
            run += ["--max-examples", "25", "--exclude-checks", LEFT_OUT, "--request-timeout", "10", "--no-color"]
            code = subprocess.call([str(word) for word in run], cwd=folder, env={**os.environ, "NO_PROXY": "*"})
        finally:
            local.terminate()
            local.wait(10)
    sys.exit(code)


if __name__ == "__main__":
    main(os.path.abspath(sys.argv[1]))
