"""Starts `peersync-deploy local`, and lets schemathesis test every operation of the OpenAPI document against it:
first without a session, then with one.

Usage: schemathesis_run.py DEPLOYER
"""

import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

READY = 30
"""The time in seconds that `local` has to answer."""

# A limit that answers 429 is no finding: the document names it. Nor is a refusal of data that the schema
# allows (an unknown address, a used code).
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


def call(base, path, body=None):
    headers = {"Origin": base, "Content-Type": "application/json"}
    request = urllib.request.Request(base + path, body and json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer), answer.headers


def sign_in(base, name):
    """Signs up, and in with the mailed link and code. Returns the value of the session's cookie."""
    email = f"{name}@example.org"
    mailed, _ = call(base, "/api/signup", {"name": name, "email": email})
    messages, _ = call(base, "/_mail/messages.json")
    letter = next(text for message in messages if email in (text := json.dumps(message)))
    token = re.search(r"#token=([\w-]+)", letter)[1]
    _, headers = call(base, "/api/login/verify", {"token": token, "match": mailed["match"]})
    return re.search(r"(?:__Host-|peersync-)session=([\w-]+)", " ".join(headers.get_all("Set-Cookie")))[1]


def runs(base, folder):
    """The arguments of schemathesis per run. Operations that end a session get their own run."""

    def signed_in(name):
        # By the security scheme of the document, so that schemathesis may also omit it.
        file = pathlib.Path(folder, f"{name}.toml")
        file.write_text(f'[auth.openapi.session]\napi_key = "{sign_in(base, name)}"\n')
        return ["--config-file", file]

    last = ["POST /logout", "DELETE /me"]
    yield [], ["run"]
    yield signed_in("ada"), ["run", *(word for name in last for word in ("--exclude-name", name))]
    for number, name in enumerate(last):
        yield signed_in(f"ben{number}"), ["run", "--include-name", name]


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
            options = [document, "--url", f"{base}/api", "--header", f"Origin: {base}", "--seed", "1"]
            options += ["--max-examples", "25", "--exclude-checks", LEFT_OUT, "--request-timeout", "10", "--no-color"]
            code = 0
            for before, run in runs(base, folder):
                words = [str(word) for word in [tool, *before, *run, *options]]
                code = subprocess.call(words, cwd=folder, env={**os.environ, "NO_PROXY": "*"}) or code
        finally:
            local.terminate()
            local.wait(10)
    sys.exit(code)


if __name__ == "__main__":
    main(os.path.abspath(sys.argv[1]))
