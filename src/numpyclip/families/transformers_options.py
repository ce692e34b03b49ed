"""Which options of transformers' config files change what is computed, of those that are not read by name.

transformers keeps any option, and its models read those that they know. The lists in data/transformers_options.json are
derived from its sources by tools/make_transformers_options.py.
"""

import json
from functools import cache
from pathlib import Path

from numpyclip.families.config_file import Section

_LISTS = Path(__file__).resolve().parents[1] / "data" / "transformers_options.json"
_OFF: tuple[object, ...] = ("", [], {})  # an option with one of these values, false or null does nothing


def unknown_options(section: Section, model_type: str, code: str | None, is_tower: bool = True) -> list[str]:
    """List the options that no model of transformers reads; they have no effect.

    UnsupportedCheckpointError for an option of a tower that models of other types read, for one that has an effect on
    all models, and for any unknown one if the model has code of its own, named by `code`, that might read it.
    """
    lists = _read_lists()
    unknown = []
    for option, value in section.unread().items():
        if _does_nothing(option, value) or option in lists["harmless"]:
            continue
        if option in lists["read_elsewhere"]:
            if not (is_tower or option in lists["of_all_models"]):
                continue
            raise section.unsupported(
                option,
                f"models of the type {model_type!r} have no such option, but others of transformers have, and compute "
                "something else with it",
            )
        if code:
            raise section.unsupported(
                option,
                f"transformers has no such option, but the model comes with code of its own, {code!r:.60}, that may "
                "read it; NumPyCLIP never runs such code",
            )
        unknown.append(section.full_name(option))
    return unknown


def finish_image_processor(section: Section) -> None:
    """Raise for an option that was not read, and is one of another image processor of transformers."""
    for option, value in section.unread().items():
        if not _does_nothing(option, value) and option in _read_lists()["of_image_processors"]:
            raise section.unsupported(option, "this option is not supported")


def _does_nothing(option: str, value: object) -> bool:
    """Tell whether an option is off, or has a name that no code reads, such as "transformers.js_config"."""
    return value is False or value in _OFF or not option.isidentifier()


@cache
def _read_lists() -> dict[str, frozenset[str]]:
    lists = json.loads(_LISTS.read_bytes())
    return {name: frozenset(options) for name, options in lists.items() if name != "source"}
