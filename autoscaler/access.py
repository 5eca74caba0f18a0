"""Who we are to a Prometheus or to an autoscaler's REST API, and whom we trust to be one: headers,
tokens, certificates.

A user and a password may stand in its address. Proxies are those of the environment.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import requests

from autoscaler.errors import PermanentError
from autoscaler.limits import ACCESS_FILE

HEADER = re.compile(r"([A-Za-z0-9!#$%&'*+.^_`|~-]+):[ \t]*([\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?)")
TELL_WHO = ("Authorization", "X-Scope-OrgID")


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What is sent with every request, and what is checked of whoever answers."""

    token_file: Path | None = None
    """Holds a bearer token; read anew each time, as tokens are renewed."""

    headers: tuple[str, ...] = ()
    """As ``Name: value``: a tenant's, say."""

    ca_file: Path | None = None
    """Certificates, PEM, that the server's is checked against; None = the system's."""

    cert: Path | None = None
    """Our certificate, PEM; with the key in it, or in ``key``."""

    key: Path | None = None

    def __post_init__(self) -> None:
        """Check all of it once. Raises PermanentError."""
        for header in self.headers:
            if not HEADER.fullmatch(header):
                # Without a colon all of it may be the secret.
                name = header.partition(":")[0] if ":" in header else ""
                raise PermanentError(f"header is {name!r:.60}: ...; allowed: Name: value")
        if self.key and not self.cert:
            raise PermanentError("client-key is given without client-cert; allowed: both")
        for file in (self.token_file, self.ca_file, self.cert, self.key):
            if file:
                _read(file)

    def apply(self, session: requests.Session) -> None:
        """To all that the session sends. Raises PermanentError for a token that is none."""
        for header in self.headers:
            name, _, value = header.partition(":")
            session.headers[name] = value.strip()
        if self.token_file:
            token = _read(self.token_file).strip()
            if not re.fullmatch(r"[\x21-\x7e]+", token):
                raise PermanentError(f"{self.token_file} holds no token; allowed: one line of text")
            session.headers["Authorization"] = f"Bearer {token}"
        if self.ca_file:
            session.verify = str(self.ca_file)
        if self.cert:
            session.cert = (str(self.cert), str(self.key)) if self.key else str(self.cert)


def who_was_told(request: requests.PreparedRequest) -> str:
    """For whom a server refuses: which header said who asks."""
    sent = [name for name in TELL_WHO if name in request.headers]
    if sent:
        return f"sent were {' and '.join(sent)}"
    return f"neither {' nor '.join(TELL_WHO)} was sent (--token-file, --header)"


def _read(file: Path) -> str:
    try:
        with file.open(encoding="utf-8") as opened:
            text = opened.read(int(ACCESS_FILE.most) + 1)
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise PermanentError(f"{file} cannot be read: {why}") from error
    if len(text) > ACCESS_FILE.most:
        raise PermanentError(f"{file} is too long; allowed: {ACCESS_FILE}")
    return text
