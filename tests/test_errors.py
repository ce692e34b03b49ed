import pytest

from numpyclip import errors

CLASSES = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]


@pytest.mark.parametrize("error", CLASSES)
def test_every_error_is_drawn_in_the_tree_and_is_one_of_ours(error: type[Exception]) -> None:
    assert error.__name__ in str(errors.__doc__)
    assert issubclass(error, errors.NumPyCLIPError)


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (errors.CheckpointError, ValueError),
        (errors.ModelNotFoundError, RuntimeError),
        (errors.DownloadError, OSError),
        (errors.InputError, ValueError),
        (errors.PictureError, ValueError),
        (errors.TextTooLongError, RuntimeError),
    ],
)
def test_errors_are_also_what_code_for_openai_clip_catches(error: type[Exception], builtin: type[Exception]) -> None:
    assert issubclass(error, builtin)


def test_a_message_can_be_printed_whatever_is_in_it() -> None:
    for kind in errors.NumPyCLIPError, errors.DownloadError, errors.MissingPackageError, errors.PictureError:
        text = str(kind("caf\udce9\x1b[2J.png: ä\ncannot be read"))
        assert text == "caf\\xe9\\x1b[2J.png: ä\\ncannot be read"
        text.encode("utf-8")


def test_a_message_is_one_printable_line() -> None:
    assert (
        str(errors.InputError("a: ä\u3000🏳️\u200d🌈\nb\x1b\u202e\udce9")) == "a: ä\u3000🏳️\u200d🌈" + r"\nb\x1b\u202e\xe9"
    )


def test_names_of_others_are_quoted_on_one_line_and_cut() -> None:
    assert errors.quoted("visual.proj") == "'visual.proj'"
    assert errors.quoted("a\n\x1b\ud800") == r"'a\n\x1b\ud800'"
    assert errors.quoted("a" * 9, most=5) == "'aaaaa'..."


def test_of_many_names_some_are_listed_and_the_others_counted() -> None:
    assert errors.listed([]) == ""
    assert errors.listed(["a", "b"], most=2) == "'a', 'b'"
    assert errors.listed(dict.fromkeys("abcd"), most=2) == "'a', 'b' and 2 more"
    assert errors.listed(["\x1b" + "a" * 9], letters=4) == "'\\x1baaa'..."
