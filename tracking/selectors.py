"""Reads of tracking.

Never writes and never asks for the time; writes are in services.py.
"""

from __future__ import annotations

from django.db import connection


def source_scope(key: str) -> int | None:
    """The tenant whose source this is, asked before a scope is known (ids only)."""
    with connection.cursor() as cursor:
        cursor.execute("select plimsoll_scope_of_source(%s)", [key])
        row = cursor.fetchone()
    return None if row is None or row[0] is None else int(row[0])
