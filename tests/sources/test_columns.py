"""Names under which columns are carried along."""

from numpyclip.sources.columns import free_names


def test_a_name_becomes_the_same_whatever_others_there_are() -> None:
    names = ["a", "key", "source_key", "source_source_key", "source_a", "", "source_"]
    expected = ["a", "source_key", "source_source_key", "source_source_source_key", "source_a", "", "source_"]
    for some in (names, names[::-1], *([name] for name in names)):
        assert [free_names(some, ["key"])[name] for name in some] == [expected[names.index(name)] for name in some]
    assert free_names(names, []) == {name: name for name in names}
