"""A mail server (aiosmtpd) that keeps what it receives, one JSON object a line.

mail.py HOST PORT starttls|tls|plain CERTIFICATE KEY USER PASSWORD KEPT
"""

import asyncio
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

host, port, mode, certificate, key, user, password, kept = sys.argv[1:]


class Keep:
    """RCPT to `busy@` is refused for now, to `nobody@` for ever."""

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("busy@"):
            return "450 4.2.1 try later"
        if address.startswith("nobody@"):
            return "550 5.1.1 there is nobody"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        line = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "tls": mode == "tls" or session.ssl is not None,
            "login": bool(session.authenticated),
            "text": envelope.content.decode("utf-8"),
        }
        with open(kept, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    good = (
        isinstance(data, LoginPassword)
        and data.login.decode() == user
        and data.password.decode() == password
    )
    return AuthResult(success=good, handled=good)


context = None
if mode != "plain":
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)


async def serve():
    def connection():
        return SMTP(
            Keep(),
            hostname="mail.example.com",
            tls_context=context if mode == "starttls" else None,
            require_starttls=mode == "starttls",
            auth_require_tls=mode == "starttls",
            authenticator=authenticate,
        )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(connection, host, int(port), ssl=context if mode == "tls" else None)
    await server.serve_forever()


asyncio.run(serve())
