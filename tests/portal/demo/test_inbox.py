"""The demo's inbox keeps every mail and shows it without running anything of it."""

from __future__ import annotations

import smtplib
import subprocess
import sys
from email.message import EmailMessage
from pathlib import Path

import pytest
from django.test import Client

from portal.demo_inbox import inbox_folder, mail_files
from tests.processes import ROOT, free_port, wait_for


@pytest.mark.slow
def test_a_mail_goes_in_and_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLIMSOLL_VAR", str(tmp_path))
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "portal.demo_inbox", "--port", str(port)], cwd=ROOT
    )
    try:
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = (
            "portal@localhost",
            "ana@acme.example",
            "Vessel <b>arrived</b>",
        )
        message.set_content("Plain words.\n.\nA line with a dot alone.")
        message.add_alternative("<html><head></head><body><script>x</script><p>Hello</p></body></html>", subtype="html")
        wait_for(lambda: _sent(port, message), what="the server")
        assert len(mail_files(inbox_folder())) == 1
        name = mail_files(inbox_folder())[0].stem
        client = Client()
        listing = client.get("/demo/inbox?q=ana@").content.decode()
        assert "Vessel &lt;b&gt;arrived&lt;/b&gt;" in listing
        assert "Vessel" not in client.get("/demo/inbox?q=nobody").content.decode()
        page = client.get(f"/demo/inbox/{name}")
        assert "A line with a dot alone." in page.content.decode()
        assert f'src="/demo/inbox/{name}/html"' in page.content.decode()
        html = client.get(f"/demo/inbox/{name}/html")
        policy = html["Content-Security-Policy"]
        assert policy.startswith("sandbox ")
        assert "allow-scripts" not in policy
        assert "default-src 'none'" in policy
        for bad in ("nothing", f"..%2f..%2f{name}", name[:-1]):
            assert client.get(f"/demo/inbox/{bad}").status_code == 404
    finally:
        server.terminate()
        assert server.wait(timeout=10) == 0


def _sent(port: int, message: EmailMessage) -> bool:
    try:
        with smtplib.SMTP("127.0.0.1", port, timeout=5) as smtp:
            smtp.send_message(message)
    except OSError:
        return False
    return True
