"""docs/reference/settings.md has the options that the command has."""

from tools import make_serve_options as tool

from numpyclip.cli.configuration import settings


def test_the_table_is_made_from_the_options() -> None:
    assert tool.divide(tool.PAGE.read_text("utf-8"))[1] == tool.table()


def test_every_option_has_a_meaning() -> None:
    rows = [tool.row(setting) for setting in settings(tool.serve())]
    assert len(rows) > 30
    assert not [row for row in rows if row.count(" | ") != 4 or row.endswith("|  |")]
    assert not [row for row in rows if "default" in row or "%(" in row]
