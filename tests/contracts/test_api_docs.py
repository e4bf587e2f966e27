"""The quick start of docs/api.md runs as it stands, against a real server; and the reference page says what is so."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest
import requests

from portal.web.api_docs import fields_of, kind_of, operations, worded
from portal.web.schema import document
from tests import apiworld
from tests.doors import client_of
from tests.servers import ROOT

PAGE = (ROOT / "docs" / "api.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    """The code of this language, in order."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.fixture(scope="module")
def surroundings() -> Iterator[dict[str, str]]:
    """A server with an account, and the environment that the page asks for."""
    made = apiworld.build("ACME")
    with apiworld.serving() as address:
        yield {"PLIMSOLL_URL": address, "PLIMSOLL_KEY": made.key}


def curled(command: str, environment: dict[str, str]) -> str:
    """What the command prints; where there is no curl, the same request is made without it."""
    if shutil.which("curl"):
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True,
                              env={**os.environ, **environment})  # fmt: skip
        return done.stdout
    for name, value in environment.items():
        command = command.replace(f"${name}", value)
    _curl, _silent, _h, header, address = shlex.split(command)
    name, _colon, value = header.partition(": ")
    return requests.get(address, headers={name: value}, timeout=30).text


@pytest.mark.parametrize("command", [block for block in blocks("sh") if block.startswith("curl")])
def test_a_curl_command_of_the_page_answers_a_list(command: str, surroundings: dict[str, str]) -> None:
    assert "items" in json.loads(curled(command.strip(), surroundings))


def test_the_python_program_of_the_page_reads_every_page_with_the_standard_library_alone(
    surroundings: dict[str, str],
) -> None:
    (program,) = blocks("python")
    done = subprocess.run([sys.executable, "-I", "-W", "error", "-c", program], capture_output=True, text=True,
                          env={**os.environ, **surroundings}, check=False)  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"^S-[0-9A-F]{8} 2026-03-18T09:00:00Z$", done.stdout, flags=re.MULTILINE)
    assert re.search(r"^   1 GTIN ACT 2026-02-01T02:00:00Z IN_FORCE$", done.stdout, flags=re.MULTILINE)
    refused = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=False,
                             env={**os.environ, **surroundings, "PLIMSOLL_KEY": "nonsense"})  # fmt: skip
    assert refused.stderr.startswith("key_refused: ")


def test_the_codes_of_the_page_are_those_that_the_api_gives() -> None:
    told = set(re.findall(r"^\| (\d{3}) \| `(\w+)`", PAGE, flags=re.MULTILINE))
    documented = {status for _path, op in operations().values() for status in op["responses"]} - {"200"}
    assert {status for status, _code in told} == documented | {"405"}


# --- the reference page ---


def test_the_reference_shows_every_address_with_every_parameter_and_field() -> None:
    person = client_of(apiworld.cast.account("ACME").member)
    index = person.get("/api/v1/docs").content.decode()
    for name, (path, told) in operations().items():
        assert path in index
        page = person.get(f"/api/v1/docs/{name}").content.decode()
        for parameter in told["parameters"]:
            assert f'<span class="mono">{parameter["name"]}</span>' in page, name
        answer = told["responses"]["200"]["content"].get("application/json", {})
        for field in fields_of(answer.get("schema", {})):
            assert f'<span class="mono">{field["name"]}</span>' in page, name
        if "example" in answer:
            assert f"&quot;{next(iter(answer['example']))}&quot;" in page, name


def test_the_reference_is_for_people_who_are_signed_in_and_refuses_as_a_page() -> None:
    assert client_of(None).get("/api/v1/docs").status_code == 302
    answer = client_of(apiworld.cast.account("ACME").member).get("/api/v1/docs/nothing")
    assert (answer.status_code, answer.headers["Content-Type"].partition(";")[0]) == (404, "text/html")


def test_kinds_are_said_in_words() -> None:
    row = document()["components"]["schemas"]["ShipmentRow"]["properties"]
    assert kind_of(row["id"]) == "text"
    assert kind_of(row["due_at"]) == "moment, UTC, or null"
    assert kind_of(row["pol"]) == "object, or null"
    assert kind_of(row["containers"]) == "list of texts"
    assert kind_of(row["mode"]) == "one of SEA, AIR, ROAD, RAIL"
    assert worded("`next` or <b>") == "<code>next</code> or &lt;b&gt;"
