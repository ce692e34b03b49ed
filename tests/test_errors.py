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
