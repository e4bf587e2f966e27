"""The one way to call an address that a person configured: resolved once, checked, and called at what was checked.

What is asked and what the answer means is the caller's business. Nothing of the environment (proxies, .netrc) counts,
redirects are answers like any other, and whoever drips bytes is cut off (H6).
"""

from __future__ import annotations

import re
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from socket import AF_UNSPEC, SHUT_RDWR, SOCK_STREAM, gaierror, getaddrinfo
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from urllib3.connection import HTTPConnection, HTTPSConnection

from portal.lib.errors import PortalError

LONGEST_URL: Final = 2_000
_MOST_TRIED: Final = 4  # addresses of one host
_LONGEST_CONNECT: Final = 10.0
_LONGEST_LOOKUP: Final = 8.0  # seconds; the system's own resolver may take minutes
_NAME: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9])?", re.ASCII)
_PRINTABLE: Final = re.compile(r"[!-~]+", re.ASCII)
_GLOBAL_V6: Final = ip_network("2000::/3")  # everything else of IPv6 is not given out to anybody

# Where nothing public lives, and why. Ours, and not the library's: what it calls global changes with its version.
DENIED: Final[Mapping[str, tuple[str, ...]]] = {
    "this host": ("0.0.0.0/8", "::/128"),
    "private": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"),
    "carrier-grade NAT": ("100.64.0.0/10",),
    "loopback": ("127.0.0.0/8", "::1/128"),
    "link-local": ("169.254.0.0/16", "fe80::/10"),
    "site-local": ("fec0::/10",),
    "protocol assignments": ("192.0.0.0/24", "2001::/23"),
    "documentation": ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20"),
    "benchmarking": ("198.18.0.0/15",),
    "AS112 or AMT": ("192.31.196.0/24", "192.52.193.0/24", "192.175.48.0/24", "2620:4f:8000::/48"),
    "6to4": ("192.88.99.0/24", "2002::/16"),
    "multicast": ("224.0.0.0/4", "ff00::/8"),
    "reserved": ("240.0.0.0/4", "3ffe::/16", "5f00::/16"),
    "IPv4-mapped": ("::ffff:0:0/96", "::ffff:0:0:0/96"),
    "NAT64": ("64:ff9b::/96", "64:ff9b:1::/48"),
    "discard": ("100::/64", "100:0:0:1::/64"),
    "IPv4-compatible": ("::/96",),
}
_NETWORKS: Final = tuple((ip_network(text), why) for why, texts in DENIED.items() for text in texts)


class EgressRefused(PortalError):
    """The address may not be called at all; nothing was sent."""

    code, status = "egress_refused", 422
    message = _("This address cannot be called: %(why)s")


class EgressFailed(PortalError):
    """The address was called, and no whole answer came back."""

    code, status = "egress_failed", 502
    message = _("%(host)s gave no answer: %(why)s")


@dataclass(frozen=True, slots=True)
class Reach:
    """What may be called beside the public network with TLS: hosts, each with or without a port."""

    inside: Sequence[str] = ()  # may have addresses that are not public
    plain: Sequence[str] = ()  # may be called without TLS


def own_reach() -> Reach:
    """Of addresses that the operator's administrators configure."""
    return Reach(settings.EGRESS_ALLOW_HOSTS, settings.EGRESS_PLAIN_HOSTS)


def customer_reach() -> Reach:
    """Of addresses that customers enter: the installation's own hosts are none of theirs; production adds nothing."""
    return Reach(inside=settings.WEBHOOK_ALLOW_HOSTS)


@dataclass(frozen=True, slots=True)
class Target:
    """An address that may be written down: its parts, checked for their form."""

    scheme: str
    host: str  # lower case, without brackets and the last dot
    port: int
    path: str  # with its query

    @property
    def authority(self) -> str:
        """Host and port as they stand in an address, the port only when it is not the scheme's."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """Scheme, host and port: a secret for one origin goes to no other."""
        return f"{self.scheme}://{self.authority}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever its status; header names are lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


_PORTS: Final = {"https": 443, "http": 80}


def target_of(url: str, reach: Reach | None = None) -> Target:
    """The address in its parts. Raises EgressRefused when it is none, or none that may ever be called.

    `reach` is the operator's own where none is given.
    """
    if len(url) > LONGEST_URL or not _PRINTABLE.fullmatch(url) or "\\" in url:
        raise EgressRefused(why=_("it is too long, or holds blanks or other characters that no address has."))
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise EgressRefused(why=_("it is not a web address.")) from None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise EgressRefused(why=_("it must begin with https:// and name a host."))
    if "@" in parts.netloc:
        raise EgressRefused(why=_("a user name or password must not stand in it."))
    if parts.fragment:
        raise EgressRefused(why=_("it must not end in a part that begins with #."))
    host = parts.hostname.lower().removesuffix(".")
    if not _NAME.fullmatch(host) and (_address(host) is None or "%" in host):
        raise EgressRefused(why=_("its host is not a name or an address."))
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    found = Target(parts.scheme, host, _PORTS[parts.scheme] if port is None else port, path)
    _may_speak(found, reach or own_reach())
    return found


def _may_speak(target: Target, reach: Reach) -> None:
    if target.scheme == "http" and not _named(reach.plain, target):
        raise EgressRefused(why=_("it must begin with https://."))
    own = f"{_bracketed(target.host)}:{target.port}" in (*reach.inside, *reach.plain)
    plain = target.scheme == "http" and target.port == _PORTS["http"]
    if not (own or plain or target.port in settings.EGRESS_PORTS):
        raise EgressRefused(why=_("its port is not one that may be called."))
    if _address(target.host) is not None and not _named((*reach.inside, *reach.plain), target):
        _refuse_denied(target.host)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _named(hosts: Sequence[str], target: Target) -> bool:
    """A list names a host with any port that is allowed, or one port of it."""
    host = _bracketed(target.host)
    return host in hosts or f"{host}:{target.port}" in hosts


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def denied(text: str) -> str:
    """Why an IP address is not public, in a word; empty when it is. A scoped or unreadable one is never public."""
    address = _address(text)
    if address is None or "%" in text:
        return "unreadable"
    why = next((why for network, why in _NETWORKS if address.version == network.version and address in network), "")
    if not why and address.version == 6 and address not in _GLOBAL_V6:
        return "not given out"
    return why


def addresses_of(target: Target, reach: Reach | None = None, *, seconds: float = _LONGEST_LOOKUP) -> list[str]:
    """The host's addresses, asked for once; every one of them may be called.

    Raises EgressRefused when any is not public and `reach` (the operator's own where none is given) does not name the
    host, EgressFailed when the name is not known, or nobody says so in time.
    """
    found = list(dict.fromkeys(str(entry[4][0]) for entry in _looked_up(target, min(seconds, _LONGEST_LOOKUP))))
    reasons = {address: denied(address) for address in found}
    if target.scheme == "http" and not all(reasons.values()):
        raise EgressRefused(why=_("without TLS only a host of a closed network may be called, and this one is public."))
    if not _named((reach or own_reach()).inside, target):
        for address in found:
            _refuse_denied(address)
    return found


def _refuse_denied(address: str) -> None:
    if why := denied(address):
        raise EgressRefused(why=_("%(address)s is not public (%(why)s).") % {"address": address, "why": why})


def _looked_up(target: Target, seconds: float) -> list[Any]:
    """What the resolver says, in a thread of its own: it knows no timeout."""
    told: list[list[Any] | Exception] = []

    def ask() -> None:
        try:
            told.append(list(getaddrinfo(target.host, target.port, AF_UNSPEC, SOCK_STREAM)))
        except Exception as error:
            told.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(max(0.05, seconds))
    answer = told[0] if told else None
    if answer is None:
        raise EgressFailed(host=target.host, why=_("its name was not looked up in time."))
    if isinstance(answer, gaierror | UnicodeError):
        raise EgressFailed(host=target.host, why=_("its name is not known."))
    if isinstance(answer, Exception):
        raise answer
    return answer


def call(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    most_bytes: int = 64 * 1024,
    seconds: float = 20.0,
    reach: Reach | None = None,
    status_matters: bool = False,
) -> Answer:
    """One request and its whole answer, of any status. `seconds` bounds all of it, however slowly it drips.

    Raises EgressRefused before anything is sent, EgressFailed when no whole answer of at most `most_bytes` came. With
    `status_matters` the status is the answer: of the body comes what could be read, at most `most_bytes`. `reach` is
    the operator's own where none is given.
    """
    target = target_of(url, reach)
    ends, failed = time.monotonic() + seconds, None
    sent = {**(headers or {}), "Host": target.authority, "Accept-Encoding": "identity", "Connection": "close"}
    for address in addresses_of(target, reach, seconds=seconds)[:_MOST_TRIED]:
        attempt = _Attempt(target, address, max(0.05, ends - time.monotonic()))
        try:
            attempt.connect()
        except EgressFailed as error:
            failed = error
            continue
        return attempt.ask(method, sent, body, most_bytes, status_matters)
    raise failed or EgressFailed(host=target.authority, why=_("its name is not known."))


class _Attempt:
    """One connection to one checked address; a clock of its own cuts it off, whatever it waits for."""

    def __init__(self, target: Target, address: str, seconds: float) -> None:
        self.target, self.seconds, self.cut = target, seconds, threading.Event()
        self.connection = _connection(target, address, min(_LONGEST_CONNECT, seconds))
        self.clock = threading.Timer(seconds, self._cut)
        self.clock.daemon = True

    def connect(self) -> None:
        """Raises EgressFailed when nobody answers, or when TLS does not hold."""
        self.clock.start()
        try:
            self.connection.connect()
            self.connection.sock.settimeout(self.seconds)
        except Exception as error:
            self._close()
            raise self._failed(error) from None

    def ask(
        self, method: str, headers: dict[str, str], body: bytes | None, most_bytes: int, status_matters: bool
    ) -> Answer:
        """The whole answer; with `status_matters` its status, and what there is of the rest."""
        try:
            self.connection.request(
                method, self.target.path, body=body, headers=headers, preload_content=False, decode_content=False
            )
            reply = self.connection.getresponse()
            told = {name.lower(): value for name, value in reply.headers.items()}
            if status_matters:
                return Answer(reply.status, told, _read_some(reply, most_bytes))
            if told.get("content-encoding", "identity") != "identity":
                raise EgressFailed(
                    host=self.target.authority, why=_("it sent a compressed answer that was not asked for.")
                )
            whole = _read(reply, self.target, most_bytes)
            if self.cut.is_set():  # what was cut off can look like an end
                raise TimeoutError
            return Answer(reply.status, told, whole)
        except EgressFailed:
            raise
        except Exception as error:  # refusals of what is no HTTP have many kinds
            raise self._failed(error) from None
        finally:
            self._close()

    def _failed(self, error: Exception) -> EgressFailed:
        return EgressFailed(host=self.target.authority, why=_why(TimeoutError() if self.cut.is_set() else error))

    def _close(self) -> None:
        self.clock.cancel()
        self.connection.close()

    def _cut(self) -> None:
        self.cut.set()
        sock = self.connection.sock
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(SHUT_RDWR)


def _connection(target: Target, address: str, seconds: float) -> HTTPConnection:
    """To the checked address; TLS is verified for the name, against the authorities of the system."""
    if target.scheme == "http":
        return HTTPConnection(address, target.port, timeout=seconds)
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return HTTPSConnection(address, target.port, timeout=seconds, ssl_context=context, server_hostname=target.host)


def _read(reply: Any, target: Target, most_bytes: int) -> bytes:
    whole = bytearray()
    while part := reply.read(65_536):
        whole += part
        if len(whole) > most_bytes:
            raise EgressFailed(
                host=target.authority, why=_("its answer has more than %(n)d bytes.") % {"n": most_bytes}
            )
    return bytes(whole)


def _read_some(reply: Any, most_bytes: int) -> bytes:
    """At most so many bytes, and fewer when the rest breaks off, is cut off, or never comes."""
    some = bytearray()
    with suppress(Exception):  # the status is known: nothing that follows changes what was said
        while len(some) < most_bytes and (part := reply.read1(min(65_536, most_bytes - len(some)))):
            some += part
    return bytes(some)


def _why(error: BaseException) -> str | Promise:
    """In words; nothing of the request, which may carry secrets."""
    chain = [error]
    while (inner := _inner(chain[-1])) is not None and len(chain) < 10:
        chain.append(inner)
    cause = chain[-1]
    if any(isinstance(one, TimeoutError) or "Timeout" in type(one).__name__ for one in chain):
        return _("it took too long.")
    if any(type(one).__name__ in ("IncompleteRead", "InvalidChunkLength") for one in chain):  # two libraries' own
        return _("its answer was cut off.")
    if isinstance(cause, ssl.SSLError):
        said = getattr(cause, "verify_message", "") or cause.reason or ""
        return _("TLS failed: %(why)s.") % {"why": str(said).lower().replace("_", " ") or type(cause).__name__}
    if isinstance(cause, ConnectionRefusedError):
        return _("it refuses the connection.")
    if isinstance(cause, OSError):
        return _("the connection broke.")
    return _("what it sent is not HTTP.")


def _inner(error: BaseException) -> BaseException | None:
    """What an error of the library wraps."""
    if error.__cause__ is not None:
        return error.__cause__
    last = error.args[-1] if error.args else None
    return last if isinstance(last, BaseException) else None
