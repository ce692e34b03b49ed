"""The faults that tools/put_faults.py puts into the source."""

from pathlib import Path

import pytest
from tools.faults import FaultMaker, behaviour, choose, put


def faulty(source: str) -> set[str]:
    return {put(fault, source.encode()).decode() for fault in FaultMaker(source.encode()).faults}


@pytest.mark.parametrize(
    ("source", "with_faults"),
    [
        ("a < b", {"a <= b", "a > b"}),
        ("(a)>=(b) is  not c", {"(a)>(b) is  not c", "(a)<=(b) is  not c", "(a)>=(b) is c"}),
        ("a not in b", {"a in b"}),
        ("a and b", {"a or b", "True and b", "a and True"}),
        ("a or b", {"a and b", "False or b", "a or False"}),
        ("not a", {"(a)"}),
        ("a + b // c", {"a - b // c", "a + b / c", "a + b % c"}),
        ("a = 7", {"a = 8", "a = 6", "a = 0"}),
        ("a = 1", {"a = 2", "a = 0"}),
        ("f(a, b, *c)", {"pass", "f(b, a, *c)"}),
        ("a['b']", {"a['b_']"}),
        ("a = b == 'ä'", {"a = b != 'ä'", "a = b == 'ä_'"}),
        ("a = {'b': 'c'}", {"a = {'b_': 'c'}"}),
        ("a.get('b', c)", {"pass", "a.get('b_', c)", "a.get(c, 'b')"}),
        ("a = min(b), b.any()", {"a = max(b), b.any()", "a = min(b), b.all()"}),
        ("a += b", {"pass"}),
        ("[a for a in b if a]", {"[a for a in b if True]"}),
        ("def f(a=True, b='c', *, d='e'): ...", {
            "def f(a=False, b='c', *, d='e'): ...",
            "def f(a=True, b='c_', *, d='e'): ...",
            "def f(a=True, b='c', *, d='e_'): ...",
        }),
        ("def f(): return a", {"def f(): return None"}),
        ("class C:\n    a: str = 'b'", {"class C:\n    a: str = 'b_'"}),
        ("for a in b: break", {"for a in b: pass"}),
        ("if a: b", {"if True: b", "if False: b"}),
    ],
)  # fmt: skip
def test_what_is_put_where(source: str, with_faults: set[str]) -> None:
    assert faulty(source) == with_faults


@pytest.mark.parametrize(
    "source",
    [
        '"""Text of 1 < 2."""',
        "def f(a: Literal['b', 1], b: list[1] = c) -> d['e']: ...",
        "if TYPE_CHECKING:\n    import a\n    b(1)",
        'if sys.platform == "win32":\n    a(1)',
        "a: dict['b', 1]",
        "a = Literal['b']",
        "a: TypeAlias = 'b'",
        'a = f"{b:1} {c[1] + 1}"',
        "a = warnings.warn('b' + c, stacklevel=2)",
        "a = Some.Error(1 < 2)",
        "a = math.gcd(b, c)",
        "# 1 < 2",
    ],
)
def test_messages_and_annotations_have_no_faults(source: str) -> None:
    assert not faulty(source)


def test_an_error_is_kept_or_goes_as_a_whole() -> None:
    assert faulty("raise ValueError('a' if b > 1 else c)") == {"pass"}


def test_operators_are_found_behind_comments_and_after_wide_letters() -> None:
    assert faulty("a = ('ä'  # < this\n  < b)") == {
        "a = ('ä'  # < this\n  <= b)",
        "a = ('ä'  # < this\n  > b)",
        "a = ('ä_'  # < this\n  < b)",
    }


def test_what_compiles_to_the_same_is_no_fault() -> None:
    assert behaviour(b"a = 1 + 1") == behaviour(b"a  =  2  # 1 + 1")
    assert behaviour(b"a = 1") != behaviour(b"a = True")
    assert behaviour(b"def f():\n    return 1") != behaviour(b"def f():\n    return 2")
    assert behaviour(b"a = ") is None


def test_a_seed_says_which_faults(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text("def f(a, b=1):\n    if a < b and not a:\n        g(a, b)\n    return a['c'] + 10\n")
    chosen = list(choose([module], "1/area", 12))
    assert chosen == list(choose([module], "1/area", 12))
    assert chosen[:5] == list(choose([module], "1/area", 5))
    assert chosen != list(choose([module], "2/area", 12))
    assert len(set(chosen)) == 12
    assert len({fault.kind for _, fault in chosen}) > 5


def test_a_module_without_faults_has_none(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text('"""Nothing."""\n')
    assert not list(choose([tmp_path / "module.py"], "1/area", 3))
