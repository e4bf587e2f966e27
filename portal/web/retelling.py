"""What was written down in English, said again in the reader's language (decision 24).

Facts, logs and answers of other systems are kept, so what they say in words is in one language. Here are the few
sentences of which they are made; what is none of them stays as it was written.
"""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Final

from django.utils.dateformat import format as date_as
from django.utils.formats import get_format, number_format
from django.utils.translation import gettext, gettext_noop, ngettext, pgettext

# The sentences that facts and logs are made of, as the code says them that writes them.
_SENTENCES: Final = (
    gettext_noop("%(den)s units; on-time delivery is not published, because the data are not complete enough."),
    gettext_noop("On-time delivery: %(num)s of %(den)s units, data grade %(grade)s."),
    gettext_noop("On-time delivery %(pct)s %% (%(num)s of %(den)s units), data grade %(grade)s."),
    gettext_noop("answered %(status)d: redirects are not followed"), gettext_noop("answered %(status)d"),
    gettext_noop("given up after %(n)d tries: %(last)s"),
    gettext_noop("%(n)d min"), gettext_noop("%(n)d h"),
    gettext_noop("This address cannot be called: %(why)s"), gettext_noop("%(host)s gave no answer: %(why)s"),
    gettext_noop("TLS failed: %(why)s."),
)  # fmt: skip
_PLACE: Final = re.compile(r"%\((\w+)\)([sd])")
_TIME: Final = re.compile(r"(\d{1,2} [A-Z][a-z]{2} \d{4})(?: (\d\d:\d\d) (\S+))?")
_DECIMAL: Final = re.compile(r"\b(\d+)\.(\d+)\b")
_DAYS: Final = re.compile(r"(\d+) days?")


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    def pattern(sentence: str) -> str:
        pieces = _PLACE.split(sentence.replace("%%", "%"))
        places = [f"(?P<{name}>{r'[0-9]+' if kind == 'd' else '.+?'})"
                  for name, kind in zip(pieces[1::3], pieces[2::3], strict=True)]  # fmt: skip
        return "".join(re.escape(text) + place for text, place in zip(pieces[::3], [*places, ""], strict=True))

    return tuple((sentence, re.compile(pattern(sentence))) for sentence in _SENTENCES)


def retold(text: str) -> str:
    """Words, a length of time or a local time out of a fact, in the reader's language; what is not known stays."""
    if not text or (same := gettext(text)) != text:
        return same if text else ""
    if found := _TIME.fullmatch(text):
        day = datetime.strptime(found[1], "%d %b %Y").date()  # noqa: DTZ007 - a day has no zone
        told = date_as(day, pgettext("date, Django format letters", "j M Y"))
        return f"{told} {found[2]} {found[3]}" if found[2] else told
    if found := _DAYS.fullmatch(text):
        count = int(found[1])
        return ngettext("%(count)d day", "%(count)d days", count) % {"count": count}
    for sentence, pattern in _patterns():
        if found := pattern.fullmatch(text):
            places = dict(_PLACE.findall(sentence))
            values = {n: int(v) if places[n] == "d" else _number(v) for n, v in found.groupdict().items()}
            return gettext(sentence) % values
    return text


def _number(text: str) -> str:
    return decimal_mark(text) if _DECIMAL.fullmatch(text) else retold(text)


def decimal_mark(text: str) -> str:
    """`96.96` as `96,96` where the reader writes it so; everything else stays."""
    return _DECIMAL.sub(rf"\g<1>{get_format('DECIMAL_SEPARATOR')}\g<2>", text)


def amount_word(text: str) -> str:
    """`1,240.00` as the reader's language writes it; anything else stays itself."""
    exact = text.replace(",", "")
    if not re.fullmatch(r"-?\d+(\.\d+)?", exact):
        return text
    places = len(exact.partition(".")[2])
    return str(number_format(Decimal(exact), decimal_pos=places, use_l10n=True, force_grouping=True))
