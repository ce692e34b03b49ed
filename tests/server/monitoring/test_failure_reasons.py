"""Why requests failed, as the log says it: nothing of what they sent."""

import pytest

from numpyclip.server.monitoring.failure_reasons import reason


@pytest.mark.parametrize(
    ("message", "sent", "expected"),
    [
        ("n is 'Secret'; expected an integer.", {"n": "secret"}, "n is '…'; expected an integer."),
        ("n is 12345; expected at most 9.", {"n": 12345}, "n is …; expected at most 9."),
        ("n is 'secret wo...'.", {"n": "secret words"}, "n is '… wo...'."),
        ("n is {'key': ['worth']}.", {"n": {"key": ["worth"]}}, "n is {'…': ['…']}."),
        (r"n is 'a\nsecret\x00words'.", {"n": "a\nsecret\0words"}, "n is '… … …'."),
        (f"n is '{'x' * 12}...{'y' * 12}'.", {"n": "x" * 9999 + "y" * 9999}, "n is '…...…'."),
        ("the queue is full.", None, "the queue is full."),
    ],
)
def test_words_of_the_request_are_left_out(message: str, sent: object, expected: str) -> None:
    assert reason(message, sent) == expected


@pytest.mark.parametrize("sent", [{"a": "a b" * 400_000}, {"a": [1] * 20_000}])
def test_of_a_huge_request_nothing_is_quoted(sent: object) -> None:
    assert "secret" not in reason("a secret", sent)
