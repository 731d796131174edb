"""An SMTP server with STARTTLS and authentication. Prints its port, then each message as one line of JSON."""
import json
import ssl
import sys
import threading

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

certificate, key, user, password = sys.argv[1:]


def authenticate(server, session, envelope, mechanism, data):
    """Accepts the one user."""
    right = (getattr(data, "login", b""), getattr(data, "password", b"")) == (user.encode(), password.encode())
    # Otherwise the server sends no answer to a wrong password, as if this had done so.
    return AuthResult(success=right, handled=False)


class Handler:
    """Prints what comes in."""

    async def handle_DATA(self, server, session, envelope):
        """Refuses one address with its own words, as servers do."""
        if "refused@example.org" in envelope.rcpt_tos:
            return "550 5.1.1 <refused@example.org>: no such user"
        text = envelope.content.decode()
        line = {"from": envelope.mail_from, "to": envelope.rcpt_tos, "tls": session.ssl is not None, "text": text}
        print(json.dumps(line), flush=True)
        return "250 OK"


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
controller = Controller(
    Handler(), hostname="127.0.0.1", port=0, tls_context=context, require_starttls=True,
    authenticator=authenticate, auth_required=True,
)
# The controller's own start() connects to the port that it was given, which is 0 here.
loop = controller.loop
threading.Thread(target=loop.run_forever, daemon=True).start()
import asyncio  # noqa: E402

server = asyncio.run_coroutine_threadsafe(controller._create_server(), loop).result()
print(server.sockets[0].getsockname()[1], flush=True)
sys.stdin.read()
