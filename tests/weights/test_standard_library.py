"""Which names a pickle may have: exact ones of the standard library, and any of other packages."""

import sys

import pytest

from numpyclip.weights.standard_library import may_be_named
from numpyclip.weights.unpickle import Symbol


@pytest.mark.parametrize(
    "name",
    [
        *("datetime.datetime", "collections.deque", "builtins.set", "__builtin__.frozenset", "builtins.complex"),
        *("pathlib.PosixPath", "pathlib._local.PosixPath", "functools.partial", "argparse.Namespace", "_codecs.encode"),
        *("copy_reg._reconstructor", "builtins.getattr", "random.Random", "uuid.UUID", "decimal.Decimal"),
        *("exceptions.ValueError", "builtins.KeyError", "collections.abc.Mapping", "types.GenericAlias", "_io.BytesIO"),
        *("_operator.getitem", "_functools.reduce", "__builtin__.reduce", "logging.getLogger", "signal.Signals"),
        *("itertools.count", "operator.itemgetter", "dataclasses._MISSING_TYPE", "decimal.Context", "typing.Callable"),
        *("__builtin__.unicode", "__builtin__.xrange", "UserDict.UserDict", "itertools.izip", "builtins.len"),
        *("contextlib.nullcontext", "inspect._empty", "configparser.ConfigParser", "ConfigParser.SectionProxy"),
        *("ipaddress.IPv4Address", "platform.uname_result", "math.cos", "enum.auto"),
        *("numpy.ndarray", "torch.load", "__main__.Mode", "omegaconf.dictconfig.DictConfig", "yacs.config.CfgNode"),
    ],
)
def test_data_and_other_packages_may_be_named(name: str) -> None:
    module, _, attribute = name.rpartition(".")
    assert may_be_named(Symbol(module, attribute))


@pytest.mark.parametrize(
    ("module", "name"),
    [
        *(("os", "system"), ("posix", "system"), ("nt", "system"), ("commands", "getoutput"), ("subprocess", "Popen")),
        *(("builtins", "eval"), ("__builtin__", "exec"), ("builtins", "getattr.x"), ("builtins", "set dict")),
        *(("builtins", ""), ("builtins.x", "set"), ("os.path", "join"), ("functools", "wraps"), ("pickle", "loads")),
        *(("exceptions", "eval"), ("builtins", "open"), ("builtins", "__import__"), ("builtins", "compile")),
        *(("io", "open"), ("typing", "sys"), ("math", "a.b"), ("operator", "methodcaller"), ("logging", "config")),
        *(("cPickle", "loads"), ("BaseHTTPServer", "HTTPServer"), ("xmlrpclib", "ServerProxy"), ("thread", "start")),
        *(("__builtin__", "intern"), ("SocketServer", "TCPServer"), ("urllib2", "urlopen"), ("urllib", "urlopen")),
        *(("contextlib", "ExitStack"), ("inspect", "currentframe"), ("configparser", "os"), ("builtins", "vars")),
        *(("collections", "namedtuple"), ("copy_reg", "add_extension"), ("pathlib._local", "os"), ("ctypes", "CDLL")),
    ],
)
def test_others_of_the_standard_library_may_not(module: str, name: str) -> None:
    assert not may_be_named(Symbol(module, name))


def test_every_allowed_module_is_one_of_the_standard_library() -> None:
    from numpyclip.weights import standard_library

    assert {module.partition(".")[0] for module in standard_library._DATA_CLASSES} <= sys.stdlib_module_names
    assert not sys.stdlib_module_names & {"__builtin__", "copy_reg", "commands"}
