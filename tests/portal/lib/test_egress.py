"""Calling out: what may never be called is not, and what is called is what was checked (H6)."""

from __future__ import annotations

import ipaddress
import os
import random
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.test import override_settings

from portal.env import is_closed_host
from portal.lib import egress
from portal.lib.egress import EgressFailed, EgressRefused, addresses_of, call, customer_reach, denied, target_of
from tests.certificates import certificate
from tests.servers import ROOT

pytestmark = pytest.mark.req("H6")

# Written down from the registries of IANA, not from the code: first and last address of what nobody may be sent to.
NOT_PUBLIC = {
    "this host": ("0.0.0.0", "0.255.255.255", "::"),
    "private": ("10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255", "192.168.0.0", "192.168.255.255",
                "fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    "carrier-grade NAT": ("100.64.0.0", "100.127.255.255"),
    "loopback": ("127.0.0.1", "127.255.255.255", "::1"),
    "link-local": ("169.254.0.0", "169.254.169.254", "169.254.255.255", "fe80::", "fe80::1",
                   "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    "site-local": ("fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    "protocol assignments": ("192.0.0.0", "192.0.0.255", "2001::", "2001:0:4136:e378:8000:63bf:3fff:fdd2",
                             "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"),  # Teredo is in there
    "documentation": ("192.0.2.1", "198.51.100.255", "203.0.113.7", "2001:db8::1", "3fff::1", "3fff:fff::1"),
    "benchmarking": ("198.18.0.0", "198.19.255.255"),
    "AS112 or AMT": ("192.31.196.1", "192.52.193.1", "192.175.48.1", "2620:4f:8000::1"),
    "6to4": ("192.88.99.1", "2002::", "2002:7f00:1::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    "multicast": ("224.0.0.0", "239.255.255.255", "ff00::", "ff02::1", "ffff::1"),
    "reserved": ("240.0.0.0", "255.255.255.255", "3ffe::1", "5f00::1"),
    "IPv4-mapped": ("::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:0:7f00:1"),
    "NAT64": ("64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1"),
    "discard": ("100::1", "100:0:0:1::1"),
    "IPv4-compatible": ("::7f00:1", "::8.8.8.8"),
    "not given out": ("1::1", "1fff:ffff::1", "4000::1", "8000::1", "e000::1", "fbff::1", "fe00::1"),
    "unreadable": ("fe80::1%eth0", "2a00:1450:4001::1%1", "nowhere", "", "127.1", "0x7f000001", "2130706433"),
}  # fmt: skip
PUBLIC = (
    "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
    "128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "191.255.255.255", "192.0.1.0",
    "192.0.3.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "198.51.99.255", "203.0.114.0",
    "223.255.255.255", "2000::1", "2001:200::1", "2001:4860:4860::8888", "2003::1", "2606:4700::1111", "3ffd::1",
    "2a00:1450:4001:80b::200e",
)  # fmt: skip


@pytest.mark.parametrize(("why", "address"), [(why, a) for why, listed in NOT_PUBLIC.items() for a in listed])
def test_what_is_not_public_is_denied_with_its_reason(why: str, address: str) -> None:
    assert denied(address) == why


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_public_is_not_denied(address: str) -> None:
    assert denied(address) == ""


def test_every_network_is_denied_at_both_of_its_ends() -> None:
    for texts in egress.DENIED.values():
        for text in texts:
            network = ipaddress.ip_network(text)
            assert denied(str(network[0])) and denied(str(network[-1])), text


def test_whatever_the_library_calls_not_global_is_denied_too() -> None:
    chance = random.Random(7)
    for _n in range(20_000):
        address = ipaddress.ip_address(chance.getrandbits(32))
        assert address.is_global or denied(str(address)), address
        wide = ipaddress.ip_address(chance.getrandbits(128) if chance.random() < 0.5 else chance.getrandbits(64))
        assert wide.is_global or denied(str(wide)), wide


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/", "ftp://example.com/", "file:///etc/passwd", "//example.com/", "example.com", "",
        "https://", "https:///x", "https://user@example.com/", "https://user:word@example.com/", "https://@example.com/",
        "https://example.com:8443/", "https://example.com:80/", "https://example.com:0/", "https://example.com:99999/",
        "https://example.com:x/", "https://exa mple.com/", "https://example.com/ x", "https://example.com/\nx",
        "https://example.com\\@evil.test/", "https://exämple.com/", "https://example.com/#x", "https://[::1/",
        "https://[::g]/", "https://-example.com/", "https://exa%6dple.com/", "https://[fe80::1%25eth0]/",
        "https://example.com/" + "x" * 2_000, "https://a,b/", "javascript:alert(1)", "gopher://example.com/",
    ],
)  # fmt: skip
def test_what_is_no_address_of_a_partner_is_refused_by_its_form(url: str) -> None:
    with pytest.raises(EgressRefused):
        target_of(url)


def test_an_address_comes_apart_as_it_was_written() -> None:
    target = target_of("https://API.Example.com./v2/events?a=%2B&b:gte=1")
    assert (target.host, target.port, target.path) == ("api.example.com", 443, "/v2/events?a=%2B&b:gte=1")
    assert target.origin == "https://api.example.com"
    assert target_of("https://[2606:4700::1111]/").authority == "[2606:4700::1111]"


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/", "https://127.1/", "https://2130706433/", "https://0x7f000001/", "https://0177.0.0.1/",
        "https://localhost/", "https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://[::7f00:1]/",
        "https://169.254.169.254/latest/meta-data", "https://10.0.0.1/", "https://[64:ff9b::7f00:1]/",
        "https://[2002:7f00:1::]/", "https://100.64.0.1/", "https://0/", "https://[fd00::1]/", "https://255.255.255.255/",
    ],
)  # fmt: skip
def test_a_host_at_an_address_that_is_not_public_is_never_called(url: str) -> None:
    with pytest.raises(EgressRefused) as refused:
        call("GET", url)
    assert "cannot be called" in refused.value.sentence()


def test_one_address_that_is_not_public_among_public_ones_is_enough() -> None:
    told = egress.getaddrinfo
    both = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, 443)) for a in ("9.9.9.9", "10.0.0.1")]
    egress.getaddrinfo = lambda *_a, **_k: both  # type: ignore[assignment]
    try:
        with pytest.raises(EgressRefused):
            addresses_of(target_of("https://two-faced.example.com/"))
    finally:
        egress.getaddrinfo = told


def test_a_host_of_the_installation_s_own_is_called_at_the_port_that_is_named() -> None:
    with override_settings(EGRESS_ALLOW_HOSTS=["localhost:9443"]):
        assert set(addresses_of(target_of("https://localhost:9443/"))) <= {"127.0.0.1", "::1"}
        for url in ("https://localhost:9444/", "http://localhost:9443/"):
            with pytest.raises(EgressRefused):
                target_of(url)
        with pytest.raises(EgressRefused):  # the name with another port is not the installation's own
            addresses_of(target_of("https://localhost/"))


def test_without_tls_nothing_public_is_called_even_when_it_is_named() -> None:
    with override_settings(EGRESS_PLAIN_HOSTS=["8.8.8.8"], EGRESS_ALLOW_HOSTS=["8.8.8.8"]):
        with pytest.raises(EgressRefused, match="closed network"):
            call("GET", "http://8.8.8.8/")


@pytest.mark.parametrize(
    ("entry", "closed"),
    [
        ("localhost", True), ("localhost:8080", True), ("10.0.0.1:80", True), ("[::1]:80", True), ("[fd00::1]", True),
        ("carrier.internal", True), ("a.b.lan:8080", True), ("gateway", True), ("api.example.com", False),
        ("8.8.8.8", False), ("8.8.8.8:80", False), ("[2606:4700::1111]:80", False), ("134744072", False),
    ],
)  # fmt: skip
def test_a_closed_host_is_told_by_its_name(entry: str, closed: bool) -> None:
    assert is_closed_host(entry) is closed


@pytest.mark.req("W2")
@pytest.mark.parametrize(("hosts", "starts"), [("api.example.com", False), ("localhost carrier.internal", True)])
def test_production_refuses_plain_hosts_that_may_be_public(hosts: str, starts: bool) -> None:
    environment = {
        "PATH": os.environ["PATH"], "PLIMSOLL_MODE": "production", "EGRESS_PLAIN_HOSTS": hosts,
        "SECRET_KEY": "abcdefghijklmnopqrstuvwxyz" * 2, "PUBLIC_URL": "https://portal.example.com",
        "ALLOWED_HOSTS": "portal.example.com", "SEAL_KEY": "ab" * 32, "SIGNING_KEY": "cd" * 32,
    }  # fmt: skip
    told = subprocess.run([sys.executable, "-c", "import portal.settings"], cwd=ROOT, env=environment,
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert (told.returncode == 0) is starts, told.stderr
    assert starts or "EGRESS_PLAIN_HOSTS" in told.stderr


# --- real answers ---


@contextmanager
def listener(*parts: bytes, pause: float = 0.0, tls: ssl.SSLContext | None = None) -> Iterator[tuple[int, list[bytes]]]:
    """A server that reads a request and says the parts, with pauses; gives its port and what it was asked."""
    asked: list[bytes] = []
    over = threading.Event()
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(0.1)

    def talk(plain: socket.socket) -> None:
        try:
            with tls.wrap_socket(plain, server_side=True) if tls else plain as peer:
                peer.settimeout(5)
                asked.append(peer.recv(65_536))
                for part in parts:
                    peer.sendall(part)
                    if pause:
                        over.wait(pause)
        except OSError:
            pass

    def serve() -> None:
        while not over.is_set():
            try:
                peer, _from = server.accept()
            except OSError:
                continue
            talk(peer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield server.getsockname()[1], asked
    finally:
        over.set()
        thread.join()
        server.close()


@contextmanager
def reachable(port: int, host: str = "127.0.0.1") -> Iterator[None]:
    with override_settings(EGRESS_ALLOW_HOSTS=[f"{host}:{port}"], EGRESS_PLAIN_HOSTS=[f"{host}:{port}"]):
        yield


def head(length: int, status: str = "200 OK", *more: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {length}", *more, "", ""]).encode()


def test_an_answer_comes_back_whole_whatever_its_status() -> None:
    with listener(head(5, "404 Not Found", "X-Word: said"), b"hello") as (port, asked), reachable(port):
        answer = call("GET", f"http://127.0.0.1:{port}/v2?x=%2B1", headers={"Authorization": "Bearer abc"})
    assert (answer.status, answer.body, answer.headers["x-word"]) == (404, b"hello", "said")
    assert asked[0].startswith(b"GET /v2?x=%2B1 HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{port}\r\n".encode() in asked[0] and b"Authorization: Bearer abc" in asked[0]


def test_a_redirect_is_an_answer_and_is_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    with listener(head(0, "302 Found", "Location: http://127.0.0.1:1/")) as (port, asked), reachable(port):
        assert call("GET", f"http://127.0.0.1:{port}/").status == 302
    assert len(asked) == 1


def test_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with listener(head(0, "500 Proxy")) as (proxy, seen), listener(head(2), b"ok") as (port, _asked), reachable(port):
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy}")
        assert call("GET", f"http://127.0.0.1:{port}/").body == b"ok"
    assert seen == []


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ((head(10), b"short"), "cut off"),
        ((b"SSH-2.0-OpenSSH_9\r\n",), "not HTTP"),
        ((b"",), "connection broke"),
        ((head(3, "200 OK", "Content-Encoding: gzip"), b"abc"), "compressed"),
        ((head(70_000), b"x" * 70_000), "more than 65536 bytes"),
        ((b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",), "cut off"),
    ],
)
def test_what_is_not_a_whole_answer_is_a_failure_in_words(parts: tuple[bytes, ...], says: str) -> None:
    with listener(*parts) as (port, _asked), reachable(port):
        with pytest.raises(EgressFailed) as failed:
            call("GET", f"http://127.0.0.1:{port}/", headers={"Authorization": "Bearer secret-word"})
    assert says in failed.value.sentence() and "secret-word" not in failed.value.sentence()


def test_nobody_at_the_port_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with reachable(port), pytest.raises(EgressFailed, match="refuses the connection"):
        call("GET", f"http://127.0.0.1:{port}/")


@pytest.mark.parametrize("parts", [[head(50)] + [b"x"] * 50, [b"HTTP/1.1 200 OK\r\n"] + [b"A: b\r\n"] * 50])
def test_who_drips_is_cut_off_in_time(parts: list[bytes]) -> None:
    began = time.monotonic()
    with listener(*parts, pause=0.2) as (port, _asked), reachable(port):
        with pytest.raises(EgressFailed, match="too long"):
            call("GET", f"http://127.0.0.1:{port}/", seconds=0.7)
        assert time.monotonic() - began < 3


@pytest.mark.req("H3")
@pytest.mark.parametrize(
    ("parts", "kept"),
    [
        ((head(300_000), b"x" * 300_000), 1_000), ((head(10), b"short"), 5), ((head(0, "410 Gone"),), 0),
        ((head(3, "200 OK", "Content-Encoding: gzip"), b"abc"), 3),
        ((b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\nhel",), 5),
    ],
)  # fmt: skip
def test_where_the_status_matters_the_rest_may_be_anything(parts: tuple[bytes, ...], kept: int) -> None:
    with listener(*parts) as (port, _asked), reachable(port):
        answer = call("POST", f"http://127.0.0.1:{port}/", body=b"{}", most_bytes=1_000, status_matters=True)
    assert answer.status in (200, 410)
    assert kept <= len(answer.body) <= 1_000


def test_where_the_status_matters_whoever_drips_after_it_is_still_cut_off() -> None:
    began = time.monotonic()
    with listener(head(50), *[b"x"] * 50, pause=0.2) as (port, _asked), reachable(port):
        assert call("GET", f"http://127.0.0.1:{port}/", seconds=0.7, status_matters=True).status == 200
    assert time.monotonic() - began < 3


def test_a_name_that_nobody_looks_up_in_time_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(egress, "getaddrinfo", lambda *_a, **_k: time.sleep(5))
    began = time.monotonic()
    with pytest.raises(EgressFailed, match="not looked up in time"):
        call("GET", "https://slow-name.example.com/", seconds=0.3)
    assert time.monotonic() - began < 2


def test_customers_reach_nothing_that_the_operator_may_reach_inside() -> None:
    own = {"EGRESS_ALLOW_HOSTS": ["10.0.0.5", "localhost:9443"], "EGRESS_PLAIN_HOSTS": ["localhost"]}
    with override_settings(**own, WEBHOOK_ALLOW_HOSTS=[]):
        assert target_of("https://10.0.0.5/").host == "10.0.0.5"
        for url in ("https://10.0.0.5/", "https://localhost:9443/", "http://localhost/", "https://127.0.0.1/"):
            with pytest.raises(EgressRefused):
                call("POST", url, reach=customer_reach())
    with override_settings(**own, WEBHOOK_ALLOW_HOSTS=["localhost:9443"]):
        assert target_of("https://localhost:9443/", customer_reach()).port == 9443
        for url in ("https://localhost:9444/", "http://localhost:9443/", "http://localhost/"):
            with pytest.raises(EgressRefused):
                target_of(url, customer_reach())


@pytest.mark.req("W2")
def test_production_lets_customers_reach_nothing_inside() -> None:
    environment = {
        "PATH": os.environ["PATH"], "PLIMSOLL_MODE": "production", "WEBHOOK_ALLOW_HOSTS": "localhost:9443",
        "SECRET_KEY": "abcdefghijklmnopqrstuvwxyz" * 2, "PUBLIC_URL": "https://portal.example.com",
        "ALLOWED_HOSTS": "portal.example.com", "SEAL_KEY": "ab" * 32, "SIGNING_KEY": "cd" * 32,
    }  # fmt: skip
    told = subprocess.run([sys.executable, "-c", "import portal.settings"], cwd=ROOT, env=environment,
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert told.returncode != 0 and "WEBHOOK_ALLOW_HOSTS" in told.stderr


# --- TLS ---


@pytest.mark.parametrize(
    ("name", "trusted", "says"),
    [("localhost", True, ""), ("other.example.com", True, "TLS failed"), ("localhost", False, "TLS failed")],
)
def test_tls_is_verified_for_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, trusted: bool, says: str
) -> None:
    context, authority = certificate(tmp_path, name)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    with listener(head(2), b"ok", tls=context) as (port, asked):
        with override_settings(EGRESS_ALLOW_HOSTS=[f"localhost:{port}"]):
            if not says:
                assert call("GET", f"https://localhost:{port}/").body == b"ok"
            else:
                with pytest.raises(EgressFailed, match=says):
                    call("GET", f"https://localhost:{port}/", headers={"Authorization": "Bearer abc"})
                assert asked == [], "nothing was said to a stranger"
