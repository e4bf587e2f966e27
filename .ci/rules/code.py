"""Rules about Python: time, scope, money, what leaves the house, SQL and markup by hand."""

import ast
import re
from collections.abc import Iterator

from rules.rule import Found, Rule, calls, dotted, imports, is_code, nodes

DOORS = re.compile(
    r"(^|/)(\w*views|api|tasks|jobs|middleware|forms|adapter|backends|keys|dispatcher|context|pages|stepup|apps)\.py$"
    r"|/views/|/management/|^portal/demo/|^portal/checks/|^portal/celery"
)
EXACT = re.compile(
    r"^(tiers/.*(rules|services|types|models)\.py|kpis/(otd|completeness|eta|dwell|exceptions|figures|engine|bundle)\.py"
    r"|kpis/definitions/.*|portal/lib/money\.py|tracking/(rules|milestones|effective|timing)\.py)$"
)


def _set_scope(source: str, path: str) -> Found:
    """`SET app.tenant_id` outlives its transaction; so does set_config with anything but `true`."""
    for node in nodes(source):
        if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
            continue
        text = node.value
        if re.search(r"(?i)\bset\s+(session\s+)?app\.tenant_id", text):
            yield node.lineno, "SET for the session leaks through a pooler: enter the scope with as_tenant"
        for start in re.finditer(r"(?i)set_config\(\s*'app\.tenant_id'", text):
            if not re.search(r",\s*true\s*$", _arguments(text[start.end() :])):
                yield node.lineno, "set_config that is not local to its transaction"


def _arguments(text: str) -> str:
    """What stands before the parenthesis that closes the call."""
    depth = 1
    for n, char in enumerate(text):
        depth += {"(": 1, ")": -1}.get(char, 0)
        if depth == 0:
            return text[:n]
    return text


def _floats(source: str, path: str) -> Found:
    """Literals and conversions. `isinstance(x, float)`, which refuses them, is fine."""
    for node in nodes(source):
        if isinstance(node, ast.Constant) and isinstance(node.value, float):
            yield node.lineno, f"the float {node.value}: use Decimal, or a fraction of whole numbers"
        elif isinstance(node, ast.Call) and dotted(node.func) == "float":
            yield node.lineno, "float(): use Decimal, or a fraction of whole numbers"


def _clock(source: str, path: str) -> Found:
    """Times that were read on the spot instead of being handed down."""
    banned = ("datetime.now", "datetime.utcnow", "datetime.today", "date.today", "timezone.now", "time.time")
    for node in nodes(source):
        if isinstance(node, ast.Call) and dotted(node.func).removeprefix("datetime.") in (
            *banned,
            "now",
            "utcnow",
        ):
            yield node.lineno, f"{dotted(node.func)}(): take `at` as an argument; doors ask portal.lib.clock.now()"


def _clock_below_doors(source: str, path: str) -> Iterator[tuple[int, str]]:
    if DOORS.search(path):
        return
    yield from calls("clock.now", what="only doors read the clock; take `at` as an argument")(source, path)


RULES = (
    Rule(
        key="time-is-an-argument",
        says="Nothing reads the time but portal.lib.clock (R0.7).",
        applies=is_code,
        find=_clock,
        bad=(
            "x = datetime.now()",
            "x = datetime.datetime.utcnow()",
            "x = date.today()",
            "x = timezone.now()",
            "x = time.time()",
        ),
        good=("x = clock.now()", "x = datetime.fromisoformat(text)", "began = time.monotonic()", "def now(): ..."),
        listed={
            "portal/lib/clock.py": "this is the clock",
            "portal/launch/": "starts processes, knows no domain",
            "portal/demo_inbox.py": "a process of its own, outside Django",
        },
    ),
    Rule(
        key="doors-read-the-clock",
        says="Only doors call portal.lib.clock.now(); everything below takes `at`.",
        applies=is_code,
        find=_clock_below_doors,
        bad=("at = clock.now()",),
        good=("def credit_assess(*, at): return at", "with clock.set_to(at): ..."),
        listed={"portal/launch/": "starts processes, knows no domain"},
    ),
    Rule(
        key="work-goes-through-the-outbox",
        says="Work is enqueued as a row in the transaction of its cause, never handed to the broker directly (O1).",
        applies=is_code,
        find=calls(".delay", ".apply_async", ".send_task", ".on_commit", what="use portal.outbox.services.enqueue"),
        bad=(
            "close_month.delay(month='2026-03')",
            "task.apply_async(kwargs={})",
            "app.send_task('x')",
            "transaction.on_commit(send)",
        ),
        good=("enqueue('kpis.close_month', key='k', at=at, month='2026-03')", "delay = 5"),
        listed={"portal/outbox/": "this is the outbox"},
    ),
    Rule(
        key="scope-is-local",
        says="The tenant is set for one transaction only (T4).",
        applies=lambda path: path.endswith(".py"),
        find=_set_scope,
        bad=(
            "cursor.execute(\"SET app.tenant_id = '7'\")",
            "x = 'set session app.tenant_id to 7'",
            "x = \"select set_config('app.tenant_id', %s, false)\"",
        ),
        good=(
            "x = \"select set_config('app.tenant_id', %s, true)\"",
            "x = \"current_setting('app.tenant_id', true)\"",
            "x = \"PERFORM set_config('app.tenant_id', coalesce(was, ''), true);\"",
        ),
    ),
    Rule(
        key="no-float-near-money",
        says="No binary float near money or a verdict (R0.4, R6.7).",
        applies=lambda path: bool(EXACT.match(path)),
        find=_floats,
        example_path="tiers/credits/rules.py",
        bad=("rate = 0.05", "x = float(amount)", "x = amount * 1e-2"),
        good=("rate = Decimal('0.05')", "x = hits * 100 >= 97 * of", "if isinstance(x, float): raise ValueError"),
    ),
    Rule(
        key="markup-is-escaped",
        says="Markup in Python is built with format_html; nothing is called safe by hand (X1).",
        applies=is_code,
        find=calls(
            "mark_safe",
            ".mark_safe",
            "SafeString",
            "SafeText",
            what="use format_html, or add the file to the list in .ci/rules/code.py with its reason",
        ),
        bad=("x = mark_safe('<b>' + name + '</b>')", "x = SafeString(text)", "x = safestring.mark_safe(y)"),
        good=("x = format_html('<b>{}</b>', name)", "def icon(name: str) -> SafeString: ..."),
        example_path="portal/web/views.py",
        listed={
            "portal/web/tables.py": "rows of long lists: one pattern of our own, each cell through conditional_escape",
            "portal/web/templatetags/ui.py": "the empty mark is an empty safe text",
        },
    ),
    Rule(
        key="sql-is-listed",
        says="SQL by hand stands in few, named files, each with its reason.",
        applies=is_code,
        find=calls(".raw", ".extra", "RawSQL", ".execute", ".executemany", what="SQL by hand; use the ORM, or list it"),
        bad=("cursor.execute('select 1')", "rows = Shipment.objects.raw('select 1')", "x = RawSQL('1', [])"),
        good=("rows = Shipment.objects.filter(pk=1)", "run(command)"),
        listed={
            "portal/launch/": "makes roles and databases before Django runs",
            "portal/tenancy/walls.py": "row security is written in SQL",
            "portal/tenancy/bulk.py": "many rows in one statement; its table and columns are those of a model",
            "portal/tenancy/backend/": "sets the scope of each transaction",
            "portal/tenancy/limits.py": "exact counting in one statement",
            "portal/tenancy/replies.py": "one call with a key at a time, by an advisory lock",
            "portal/tenancy/selectors.py": "narrow look-ups before a scope is known: ids only",
            "portal/outbox/dispatcher.py": "marks rows in one statement, by the database's clock",
            "portal/outbox/runner.py": "claims a row with its fence in one statement",
            "portal/outbox/selectors.py": "due rows over tenants: ids only",
            "portal/notify/sending.py": "claims a delivery in one statement",
            "portal/notify/selectors.py": "counts over tenants: numbers only",
            "portal/webhooks/selectors.py": "counts over tenants: numbers only",
            "portal/account/limits.py": "exact counting under an advisory lock",
            "portal/demo/seed.py": "its history need not wait for the disk",
            "tracking/search.py": "search by part through a narrow function",
            "tracking/derivation.py": "sightings in binary form; the derived columns of many shipments at once",
            "tracking/exception_rows.py": "the derived columns of many cases at once",
            "tracking/telling.py": "one worker at a time tells an account's exceptions, by an advisory lock",
            "tracking/services/bookings.py": "two that book the same take turns, by an advisory lock",
            "tracking/services/looking.py": "an exact percentile over a year of visits, in one statement",
            "portal/checks/walls.py": "reads the catalogue for row security",
            "tracking/ingest/": "whose it is (ids only); versions wait in line; COPY; days counted",
            "tracking/readiness.py": "the critical milestones of many units, judged and counted in one statement",
            "tracking/services/news.py": "a visit begins once, however many pages open at the same moment",
            "tracking/news.py": "codes to look at, counted in one statement",
            "tracking/published.py": "what counts of many events, page by page, within a bounded stretch of the record",
            "tracking/selectors.py": "whose source a key names; the counts of the home page in one statement",
            "tracking/facets.py": "all counts of the list's filters in one statement, all their values in another",
            "kpis/services.py": "one close at a time, by an advisory lock",
            "tiers/credits/state_services.py": "one approval at a time, by an advisory lock",
        },
    ),
    Rule(
        key="nothing-calls-out",
        says="Only listed files open connections to other systems; everything else stays in the house.",
        applies=is_code,
        find=imports(
            "urllib.request",
            "http.client",
            "requests",
            "httpx",
            "aiohttp",
            "urllib3",
            "smtplib",
            "ftplib",
            "socket",
            what="leaves the house; use a channel of portal.notify, or list it",
        ),
        bad=(
            "import urllib.request",
            "from http.client import HTTPSConnection",
            "import requests",
            "import urllib3",
            "import smtplib",
        ),
        good=("from urllib.parse import urlsplit", "from http import HTTPStatus", "from django.core import mail"),
        listed={
            "portal/launch/": "talks to its own servers on loopback",
            "portal/lib/egress.py": "the one way to call an address that a person configured: checked first",
            "portal/notify/channels.py": "hands mail over; names this host",
            "portal/demo/": "plays carriers and readers against its own address on loopback",
        },
    ),
    Rule(
        key="data-never-becomes-code",
        says="Bytes from outside are parsed, never run.",
        applies=is_code,
        find=lambda source, path: iter(
            [
                *imports("pickle", "marshal", "shelve", "dill", what="use JSON")(source, path),
                *calls("eval", "exec", "yaml.load", what="use a parser")(source, path),
            ]
        ),
        bad=("import pickle", "from marshal import loads", "x = eval(text)", "exec(text)", "x = yaml.load(text)"),
        listed={"portal/account/management/commands/as_tenant.py": "a shell runs what its own operator types"},
        good=("x = json.loads(text)", "def evaluate(text): ...", "x = cases.eval_all(text)"),
    ),
    Rule(
        key="no-signals",
        says="What follows from a write is said in the service that writes, or is a fact.",
        applies=is_code,
        find=imports("django.dispatch", "django.db.models.signals", "django.core.signals", what="no signals"),
        bad=("from django.dispatch import receiver", "from django.db.models.signals import post_save"),
        good=("from portal.outbox.services import emit", "import signal"),
    ),
)
