"""NAMES OF CAMERAS AND LENSES: what EXIF data says of a maker and a model, as people write it."""

from __future__ import annotations

import math
import re
from itertools import takewhile
from typing import Any

_MOST_LETTERS = 100

# With these begins what is no part of the name of a maker: NIKON CORPORATION, OLYMPUS IMAGING CORP.
_COMPANY = {
    *(
        "corporation",
        "corp",
        "company",
        "co",
        "ltd",
        "inc",
        "gmbh",
        "ag",
        "ab",
        "imaging",
        "optical",
        "computer",
        "photo",
    ),
    *("electronics", "electric", "techwin", "camera", "systems", "mobile"),
}
_OTHER_NAMES = {  # of makers, in lower case
    "eastman kodak": "Kodak",
    "hewlett-packard": "HP",
    "lge": "LG",
    "seiko epson": "Epson",
    "fuji": "Fujifilm",
    "hmd global": "Nokia",
    "om digital solutions": "OM System",
    "research in motion": "BlackBerry",
    "general": "GE",
    "mamiya-op": "Mamiya",
    "arashi vision": "Insta360",
    "asus": "ASUS",
    "oppo": "OPPO",
    "flir": "FLIR",
    "tcl": "TCL",
}
# Models that have their own brand, whoever makes them: PENTAX K-3 by RICOH IMAGING COMPANY, LTD.
_BRANDS = (
    "Pentax",
    "Leica",
    "Hasselblad",
    "Kodak",
    "Polaroid",
    "AgfaPhoto",
    "BlackBerry",
    "Nokia",
    "Minolta",
    "Contax",
)
_ABBREVIATION = 3  # letters, or fewer: HTC, DJI, LG
_NO_NAME = re.compile(r"[\W_0]*|unknown|none|n/?a|null|undefined|digital (?:still )?camera", re.IGNORECASE)


def camera_name(make: Any, model: Any) -> str | None:
    """Join the maker and the model of a camera: ``Nikon D750`` of NIKON CORPORATION and NIKON D750.

    Company words are dropped, a maker in upper or lower case is written as a name, and a model that begins with
    its maker, or with a brand of its own, is not preceded by it again.
    """
    maker, name = _maker(make), _text(model)
    if name is None:
        return maker
    for brand in filter(None, (maker, *_BRANDS)):
        if re.match(rf"{re.escape(brand)}(?![^\W_])", name, re.IGNORECASE):
            return brand + name[len(brand) :]
    return name if maker is None else f"{maker} {name}"[:_MOST_LETTERS]


def lens_name(make: Any, model: Any, specification: Any, camera_make: Any) -> str | None:
    """Name a lens by its model, and by its maker where that is not the camera's; else by what it is specified for.

    ``Sigma 35mm F1.4 DG HSM | Art 012``, ``NIKKOR Z 24-70mm f/4 S``, ``18-55mm f/3.5-5.6``.
    """
    name = _text(model)
    if name is None or re.fullmatch(r"(?:DT )?0(?:\.0)?\s?mm f/?0(?:\.0)?(?: SAM)?", name, re.IGNORECASE):
        return _specified(specification)
    return name if (maker := _maker(make)) == _maker(camera_make) else camera_name(maker, name)


def _maker(value: Any) -> str | None:
    text = _text(value)
    if text is None:
        return None
    first, *others = re.split(r"[\s,.]+", text)
    name = " ".join([first, *takewhile(lambda word: word.lower() not in _COMPANY, others)]).strip()
    return _OTHER_NAMES.get(name.lower()) or " ".join(map(_written, name.split()))


def _written(word: str) -> str:
    return word.capitalize() if word.islower() or (word.isupper() and len(word) > _ABBREVIATION) else word


def _text(value: Any) -> str | None:
    """Return what is written up to the first zero, on one line; None if it says nothing."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str):
        return None
    printable = "".join(letter if letter.isprintable() else " " for letter in value.partition("\0")[0][:1000])
    text = " ".join(printable.replace("\ufffd", " ").split())[:_MOST_LETTERS].rstrip()
    return None if _NO_NAME.fullmatch(text) else text


def _specified(value: Any) -> str | None:
    """Write focal lengths and apertures (Exif 2.32, LensSpecification): shortest, longest, and the least f of both."""
    try:
        shortest, longest, wide, tele = (float(number) for number in value)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    if not 0 < shortest <= longest < math.inf:
        return None
    lens = f"{shortest:.4g}mm" if shortest == longest else f"{shortest:.4g}-{longest:.4g}mm"
    if not 0 < wide < math.inf:
        return lens
    return f"{lens} f/{wide:.2g}" if not wide < tele < math.inf else f"{lens} f/{wide:.2g}-{tele:.2g}"
