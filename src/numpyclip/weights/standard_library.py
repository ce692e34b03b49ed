"""Names of Python's standard library in pickles: an allowlist of classes of data.

The standard library can do anything to a machine. None of its names does harm here, as nothing that a pickle names is
looked up; but no file of weights needs other ones, and those of attacks do, so such a file is refused.
"""

import builtins
import sys
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING

from numpyclip.weights.unpickle import Symbol

_ALL = "*"
_DATA_CLASSES = {
    "_codecs": "encode",
    "argparse": "Namespace",
    "array": "array _array_reconstructor",
    # `getattr` is how classes within classes are named; what it is called with is dropped, and so are its results
    "builtins": "Ellipsis NotImplemented abs all any bool bytearray bytes complex dict enumerate filter float frozenset"
    " getattr int iter len list map max min object pow range reversed round set slice sorted str sum tuple type zip",
    "collections": "ChainMap Counter OrderedDict UserDict UserList UserString defaultdict deque",
    "collections.abc": _ALL,
    "configparser": _ALL,
    "contextlib": "nullcontext",
    "copyreg": "__newobj__ __newobj_ex__ _reconstructor",
    "dataclasses": "_MISSING_TYPE",
    "datetime": "date datetime time timedelta timezone",
    "decimal": "Context Decimal",
    "enum": "Enum Flag IntEnum IntFlag StrEnum auto",
    "fractions": "Fraction",
    "functools": "partial reduce",
    "http": "HTTPStatus",
    "inspect": "_empty",
    "io": "BytesIO StringIO",
    "ipaddress": _ALL,
    "itertools": _ALL,
    "logging": "Logger getLogger",
    "math": _ALL,
    "operator": "attrgetter getitem itemgetter or_",
    "pathlib": "Path PosixPath PurePath PurePosixPath PureWindowsPath WindowsPath",
    "platform": "uname_result",
    "random": "Random",
    "re": "_compile",
    "signal": "Signals",
    "statistics": "NormalDist",
    "string": "Template",
    "time": "struct_time",
    "types": "GenericAlias MappingProxyType SimpleNamespace",
    "typing": _ALL,
    "uuid": "SafeUUID UUID",
    "zoneinfo": "ZoneInfo ZoneInfo._unpickle",
}
_OTHER_NAMES = {  # of modules: as `torch.save` writes them, which names them as Python 2 does, and in 3.13
    **IMPORT_MAPPING,
    "exceptions": "builtins",
    "_functools": "functools",
    "_io": "io",
    "_operator": "operator",
    "pathlib._local": "pathlib",
}


_EXCEPTIONS = {
    name for name, known in vars(builtins).items() if isinstance(known, type) and issubclass(known, BaseException)
}


def may_be_named(symbol: Symbol) -> bool:
    """Tell whether a file may name this, which is so of any other package."""
    given = (symbol.module, symbol.name)
    module, name = NAME_MAPPING.get(given, (_OTHER_NAMES.get(symbol.module, symbol.module), symbol.name))
    if module.partition(".")[0] not in sys.stdlib_module_names:
        return True
    names = _DATA_CLASSES.get(module, "")
    if names == _ALL:
        return name.isidentifier() and name not in sys.stdlib_module_names  # such as "sys.modules"
    return name in names.split() or (module == "builtins" and name in _EXCEPTIONS)
