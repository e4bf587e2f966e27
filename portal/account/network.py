"""Where a request comes from, as far as the configured number of proxies can be believed (W3).

Used for limits only; an address is never stored, its keyed digest is (portal.account.limits).
"""

from __future__ import annotations

import ipaddress

from django.conf import settings
from django.http import HttpRequest


def client_network(request: HttpRequest) -> str:
    """The caller's IPv4 address or IPv6 /64; "unknown" when there is none.

    Each proxy appends the address it was called from to X-Forwarded-For, so that only the last PROXY_COUNT entries
    are ours to believe; what stands before them was written by the caller.
    """
    address = request.META.get("REMOTE_ADDR", "")
    proxies: int = settings.PROXY_COUNT
    if proxies:
        told = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()]
        if len(told) >= proxies:
            address = told[-proxies]
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(known, ipaddress.IPv6Address):
        if known.ipv4_mapped:
            return str(known.ipv4_mapped)
        return str(ipaddress.IPv6Network((known, 64), strict=False))
    return str(known)
