"""Pictures drawn anew before they are kept: upright, no larger than is needed, nothing riding along in them (X4).

Pure: bytes in, bytes out. Which kinds are taken and how large they may be is said by whoever keeps them.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Final

from PIL import Image, ImageOps, UnidentifiedImageError

MOST_PIXELS: Final = 40_000_000


class NotAPicture(ValueError):  # noqa: N818 - an outcome
    """None of the kinds that were asked for, damaged, or far too large."""


def drawn_anew(body: bytes, *, kinds: Sequence[str], into: str, longest: int) -> bytes:
    """The picture as `into` (JPEG or PNG), its longer side at most `longest` pixels. Raises NotAPicture."""
    try:
        with Image.open(io.BytesIO(body), formats=tuple(kinds)) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise NotAPicture("It has too many pixels.")
            upright = ImageOps.exif_transpose(picture)
            plain = upright.convert("RGB") if into == "JPEG" or "A" not in upright.getbands() else upright
            plain.thumbnail((longest, longest))
            out = io.BytesIO()
            if into == "JPEG":
                plain.save(out, "JPEG", quality=85, exif=b"")
            else:
                # a fresh canvas: text, times and profiles of the old file are not copied
                clean = Image.new(plain.mode, plain.size)
                clean.paste(plain)
                clean.save(out, "PNG")
            return out.getvalue()
    except NotAPicture:
        raise
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise NotAPicture("It cannot be read.") from None
