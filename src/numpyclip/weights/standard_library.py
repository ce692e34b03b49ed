"""Names of Python's standard library in pickles: an allowlist of classes of data.

The standard library can do anything to a machine. None of its names does harm here, as nothing that a pickle names is
looked up; but no file of weights needs other ones, and those of attacks do, so such a file is refused.
"""

import sys

from numpyclip.weights.unpickle import Symbol

_DATA_CLASSES = {
    "_codecs": "encode",
    "argparse": "Namespace",
    "array": "array _array_reconstructor",
    "builtins": "Ellipsis NotImplemented bool bytearray bytes complex dict float frozenset getattr int list long object"
    " range set slice str tuple type unicode xrange",
    "collections": "ChainMap Counter OrderedDict UserDict UserList UserString defaultdict deque",
    "copyreg": "__newobj__ __newobj_ex__ _reconstructor",
    "datetime": "date datetime time timedelta timezone",
    "decimal": "Decimal",
    "fractions": "Fraction",
    "functools": "partial",
    "pathlib": "Path PosixPath PurePath PurePosixPath PureWindowsPath WindowsPath",
    "random": "Random",
    "re": "_compile",
    "time": "struct_time",
    "types": "MappingProxyType SimpleNamespace",
    "typing": "Any Dict List Literal Mapping Optional Sequence Tuple Union",
    "uuid": "SafeUUID UUID",
    "zoneinfo": "ZoneInfo ZoneInfo._unpickle",
}
_OTHER_NAMES = {  # of modules: in Python 2, whose names `torch.save` writes, and in 3.13
    "__builtin__": "builtins",
    "copy_reg": "copyreg",
    "commands": "subprocess",
    "pathlib._local": "pathlib",
}


def may_be_named(symbol: Symbol) -> bool:
    """Tell whether a file may name this, which is so of any other package."""
    module = _OTHER_NAMES.get(symbol.module, symbol.module)
    is_standard = module.partition(".")[0] in sys.stdlib_module_names
    return not is_standard or symbol.name in _DATA_CLASSES.get(module, "").split()
