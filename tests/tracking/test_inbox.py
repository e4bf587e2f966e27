"""Files that partners drop: taken in once, kept for ever, and never followed out of their folder (G1, G7, G9)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import transaction
from django.test import override_settings

from portal.outbox.handlers import TryAgain
from portal.outbox.models import OutboxRow, RowState
from portal.outbox.runner import run_due
from portal.tenancy.context import OPERATOR_ID, as_tenant
from tests.concurrency.acts import KILLED
from tests.servers import ROOT
from tests.tracking.messages import box, equipment, number_of, shipment, source
from tracking.inbox import folder_words, inbox_run, inboxes_enqueue
from tracking.models import InboundMessage, InboxRefusal, SightingRow, Source

pytestmark = pytest.mark.req("G1", "G9")


class Box:
    """A source's folder under an inbox of its own."""

    def __init__(self, root: Path) -> None:
        self.source = source()
        self.root, self.folder = root, root / self.source.key
        self.folder.mkdir()
        with as_tenant(OPERATOR_ID):
            Source.objects.filter(pk=self.source.pk).update(inbox=self.source.key)
            self.source.refresh_from_db()

    def later(self, seconds: int = 60) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=seconds)

    def drop(self, name: str, body: object) -> Path:
        path = self.folder / name
        path.write_bytes(body if isinstance(body, bytes) else json.dumps(body).encode())
        return path

    def look(self, at: datetime | None = None) -> None:
        with as_tenant(OPERATOR_ID):
            inbox_run(source=self.source.key, at=at or self.later())

    def messages(self) -> list[InboundMessage]:
        with as_tenant(OPERATOR_ID):
            return list(InboundMessage.objects.filter(source=self.source).select_related("raw").order_by("pk"))

    def refusals(self) -> dict[str, str]:
        with as_tenant(OPERATOR_ID):
            return dict(InboxRefusal.objects.filter(source=self.source).values_list("name", "reason"))

    def lying(self, where: str = "") -> list[str]:
        """Names of the files below a part of the folder."""
        return sorted(p.name for p in (self.folder / where).rglob("*") if p.is_file())

    def left(self) -> list[str]:
        """What lies in the folder itself."""
        return sorted(p.name for p in self.folder.iterdir() if p.name not in ("done", "refused"))


@pytest.fixture
def dropped(tmp_path: Path) -> Iterator[Box]:
    with override_settings(INBOX_DIR=str(tmp_path)):
        yield Box(tmp_path)


def events(number: str = "") -> list[dict]:
    return [equipment("GTIN", number or box(), "2026-03-10T09:30:00+08:00")]


def test_a_file_is_stored_with_its_name_and_moved_to_the_day_it_came(dropped) -> None:
    body = json.dumps(events()).encode()
    dropped.drop("gates 7.json", body)
    at = dropped.later()
    dropped.look(at)
    (message,) = dropped.messages()
    assert (message.channel, message.file_name, bytes(message.raw.body)) == ("INBOX", "gates 7.json", body)
    (kept,) = (dropped.folder / "done" / f"{at:%Y-%m-%d}").iterdir()
    assert kept.name.endswith("-gates_7.json") and kept.read_bytes() == body
    assert dropped.left() == []


def test_a_file_that_may_still_grow_is_left_alone(dropped) -> None:
    dropped.drop("fresh.json", events())
    dropped.drop("upload.json.part", events())
    dropped.drop(".hidden.json", events())
    old = dropped.drop("old-times.json", events())
    os.utime(old, (1_000_000_000, 1_000_000_000))  # a sender can set this one, and it says nothing
    dropped.look(datetime.now(UTC))
    assert dropped.messages() == []
    dropped.look()
    assert sorted(m.file_name for m in dropped.messages()) == ["fresh.json", "old-times.json"]
    os.rename(dropped.folder / "upload.json.part", dropped.folder / "upload.json")
    dropped.look()
    assert len(dropped.messages()) == 3
    assert dropped.left() == [".hidden.json"]


def test_a_file_with_its_done_mark_is_taken_at_once(dropped) -> None:
    dropped.drop("now.json", events())
    dropped.drop("now.json.done", b"")
    dropped.look(datetime.now(UTC))
    assert [m.file_name for m in dropped.messages()] == ["now.json"]
    assert dropped.left() == [] and len(dropped.lying("done")) == 2, "the mark is kept too"


def test_the_same_file_again_is_the_same_message_and_other_contents_are_another(dropped) -> None:
    first, second = json.dumps(events()).encode(), json.dumps(events()).encode()
    for body in (first, first, second):
        dropped.drop("daily.json", body)
        dropped.look()
    assert [bytes(m.raw.body) for m in dropped.messages()] == [first, second]
    assert len(dropped.lying("done")) == 2


@pytest.mark.req("O11")
@pytest.mark.slow
def test_killed_between_storing_and_moving_it_is_stored_once(dropped, acme) -> None:
    made = shipment(acme)
    dropped.drop("gates.json", events(number_of(made)))
    act = (
        "import django; django.setup()\n"
        "import sys; from datetime import datetime\n"
        "from portal.tenancy.context import OPERATOR_ID, as_tenant\n"
        "from tracking.inbox import inbox_run\n"
        "with as_tenant(OPERATOR_ID): inbox_run(source=sys.argv[1], at=datetime.fromisoformat(sys.argv[2]))\n"
    )
    environment = {
        **os.environ, "DJANGO_SETTINGS_MODULE": "portal.settings", "INBOX_DIR": str(dropped.root),
        "PLIMSOLL_FAULT": "inbox.after_store",
    }  # fmt: skip
    for _n in range(2):
        died = subprocess.run([sys.executable, "-W", "ignore", "-c", act, dropped.source.key,
                               dropped.later().isoformat()], cwd=ROOT, env=environment, check=False)  # fmt: skip
        assert died.returncode == KILLED
        assert len(dropped.messages()) == 1 and dropped.left() == ["gates.json"]
    dropped.look()
    assert len(dropped.messages()) == 1 and dropped.left() == [] and len(dropped.lying("done")) == 1
    run_due(at=dropped.later(120))
    with as_tenant(acme.pk):
        assert SightingRow.objects.filter(shipment=made).count() == 1


def test_what_is_no_file_of_the_partner_is_refused_and_kept(dropped, tmp_path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_bytes(json.dumps(events()).encode())
    os.symlink(secret, dropped.folder / "soft.json")
    os.link(secret, dropped.folder / "hard.json")
    os.mkfifo(dropped.folder / "pipe.json")
    dropped.drop("empty.json", b"")
    dropped.drop("big.json", b"[" + b" " * 300 + b"]")
    (dropped.folder / "sub").mkdir()
    (dropped.folder / "sub" / "inner.json").write_bytes(b"[]")
    with override_settings(INGEST_MAX_BYTES=200):
        dropped.look()
    assert dropped.messages() == []
    assert dropped.refusals() == {
        "soft.json": "LINK", "hard.json": "LINK", "pipe.json": "NOT_A_FILE", "empty.json": "EMPTY",
        "big.json": "TOO_LARGE",
    }  # fmt: skip
    assert dropped.left() == ["sub"] and secret.exists()
    assert len(list((dropped.folder / "refused").rglob("*.json"))) == 5


def test_hostile_names_stay_in_their_folder(dropped) -> None:
    names = ["..json", "a\nb.json", "-rf.json", "%2e%2e%2fx.json", "x" * 240 + ".json", "ä ü.json", "..%00.json"]
    for name in names:
        dropped.drop(name, events())
    raw = os.open(os.fsencode(dropped.folder) + b"/\xff\xfe.json", os.O_WRONLY | os.O_CREAT)
    os.write(raw, json.dumps(events()).encode())
    os.close(raw)
    dropped.look()
    taken = [m.file_name for m in dropped.messages()]
    assert len(taken) == 6 and all(name.isprintable() and len(name) <= 200 for name in taken)
    assert set(os.listdir(dropped.root)) == {dropped.source.key}
    assert all(name.isascii() and "/" not in name for name in dropped.lying("done"))
    assert dropped.left() == ["..%00.json", "..json"], "hidden ones are not looked at"


@pytest.mark.parametrize("name", ["../elsewhere", "/etc", "a/b", "", ".", "..", "Nothing", "gone"])
def test_a_folder_outside_of_the_inbox_is_never_opened(dropped, name, tmp_path) -> None:
    (tmp_path.parent / "elsewhere").mkdir(exist_ok=True)
    with as_tenant(OPERATOR_ID):
        Source.objects.filter(pk=dropped.source.pk).update(inbox=name)
        dropped.source.refresh_from_db()
        inbox_run(source=dropped.source.key, at=dropped.later())
        told = folder_words(dropped.source)
    assert dropped.messages() == [] and (told is None or "not there" in told["text"])


def test_a_folder_that_is_a_link_is_not_entered(dropped, tmp_path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "x.json").write_bytes(json.dumps(events()).encode())
    dropped.folder.rmdir()
    os.symlink(other, dropped.folder)
    dropped.look()
    assert dropped.messages() == []
    dropped.folder.unlink()
    dropped.folder.mkdir()
    os.symlink(other, dropped.folder / "done")
    dropped.drop("a.json", events())
    dropped.look()
    assert os.listdir(other) == ["x.json"] and dropped.refusals() == {"done": "LINK"}
    assert len(dropped.messages()) == 1 and len(dropped.lying("done")) == 1


def test_what_cannot_be_moved_is_stored_once_and_said_once(dropped) -> None:
    dropped.drop("a.json", events())
    dropped.drop("a.json.done", b"")
    dropped.drop("done", b"in the way, and not settled")
    for _n in range(2):
        dropped.look(datetime.now(UTC))
    assert len(dropped.messages()) == 1 and dropped.refusals() == {"a.json": "CANNOT_MOVE"}


@pytest.mark.req("G7")
def test_what_changes_under_our_hands_is_read_later(dropped, monkeypatch) -> None:
    from tracking import inbox

    path = dropped.drop("grows.json", events())
    told = inbox._ready

    def then_more(folder: int, at: datetime) -> list:
        found = told(folder, at)
        with path.open("ab") as stream:
            stream.write(b" ")
        return found

    monkeypatch.setattr(inbox, "_ready", then_more)
    dropped.look()
    assert dropped.messages() == [] and dropped.left() == ["grows.json"] and dropped.refusals() == {}
    monkeypatch.setattr(inbox, "_ready", told)
    dropped.look()
    assert len(dropped.messages()) == 1


def test_a_file_that_takes_the_place_of_another_is_read_in_its_turn(dropped, monkeypatch) -> None:
    from tracking import inbox

    dropped.drop("daily.json", events())
    other = json.dumps(events()).encode()
    told = inbox.message_receive

    def replaced(**more: object) -> object:
        (dropped.folder / "daily.json").unlink()
        time.sleep(0.01)
        dropped.drop("daily.json", other)
        return told(**more)

    monkeypatch.setattr(inbox, "message_receive", replaced)
    dropped.look()
    monkeypatch.setattr(inbox, "message_receive", told)
    assert len(dropped.messages()) == 1 and dropped.left() == ["daily.json"]
    dropped.look()
    assert bytes(dropped.messages()[1].raw.body) == other and dropped.left() == []


@pytest.mark.req("O6")
def test_the_schedule_asks_once_for_what_lies_there(dropped) -> None:
    def rows() -> list[OutboxRow]:
        with as_tenant(OPERATOR_ID):
            return list(OutboxRow.objects.filter(name="tracking.inbox", payload__source=dropped.source.key))

    def ask(at: datetime) -> None:
        with as_tenant(OPERATOR_ID), transaction.atomic():
            inboxes_enqueue(at=at)

    at = dropped.later().replace(minute=10)
    ask(at)
    assert rows() == [], "an empty folder makes no work"
    dropped.drop("a.json", events())
    at = dropped.later()
    for _n in range(2):
        ask(at)
    assert len(rows()) == 1
    run_due(at=at)
    assert len(dropped.messages()) == 1 and rows()[0].state == RowState.DONE


@pytest.mark.req("G13")
def test_a_file_waits_where_it_lies_while_there_is_no_room(dropped) -> None:
    dropped.drop("a.json", events())
    with override_settings(INGEST_DISK="/", INGEST_LEAST_FREE_MB=10**12), pytest.raises(TryAgain):
        dropped.look()
    assert dropped.messages() == [] and dropped.left() == ["a.json"]
    dropped.look()
    assert len(dropped.messages()) == 1
