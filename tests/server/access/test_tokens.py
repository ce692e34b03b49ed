"""Tokens from files, which may change, and sessions of browsers."""

import hmac
import logging
import os
from pathlib import Path

import pytest

from numpyclip.errors import InputError
from numpyclip.server.access.tokens import SESSION_SECONDS, Tokens, checked_token, read_tokens


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("sesame\n", {"token": "sesame"}),
        ("\ufeffsesame", {"token": "sesame"}),
        (
            "# of the phone\nphone: sesame\r\n\n  tablet:  s:\u00e9 \n",
            {"phone": "sesame", "tablet": "s:\u00e9"},
        ),
        ("phone: sesame", {"phone": "sesame"}),
    ],
)
def test_files_of_tokens(tmp_path: Path, text: str, found: dict[str, str]) -> None:
    (tmp_path / "tokens").write_text(text, "utf-8", newline="")
    assert read_tokens(str(tmp_path / "tokens")) == found


ALONE = [  # lines of which a client would not know the token
    b"bob:secret",
    b"my phone: secret",
    b"caf\xc3\xa9: secret",
    b"phone: secret # mine",
    b"secret secret",
    b"s\0e\0c\0r\0e\0t\0",
    b"phone: s\0ecret",
]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty; expected a token"),
        (b"# only this\n", "is empty; expected a token"),
        (b"a: secret\nsecret2\n", r"line 2 is no token with a name; expected `name: token`"),
        (b"a: secret\n\na: secret2\n", "line 3 repeats a name or token of an earlier line"),
        (b"a: secret\nb: secret\n", "line 2 repeats a name or token of an earlier line"),
        (b"a b: secret\nb: secret\n", "line 1 is no token with a name"),
        *[(line, "line 1 is no token with a name") for line in ALONE],
        *[(b"b: x\n" + line, "line 2 is no token with a name") for line in ALONE],
        (b"\xff", "cannot be read"),
        (b"x" * ((1 << 20) + 1), "is too large"),
        (None, "cannot be read"),
    ],
)
def test_files_that_are_none(tmp_path: Path, data: bytes | None, message: str) -> None:
    path = tmp_path / "tokens"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(InputError, match=message) as caught:
        read_tokens(str(path))
    assert "secret" not in str(caught.value)


def test_a_file_is_read_again_when_it_changes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "numpyclip.server")
    path = tmp_path / "tokens"
    path.write_text("phone: first\n")
    tokens = Tokens(path=str(path))
    session = tokens.session(b"first")
    assert (tokens.name_of(b"first"), tokens.name_of_session(session or "")) == ("phone", "phone")
    new = tmp_path / "new"
    new.write_text("phone: second\ntablet: third\n")
    os.replace(new, path)  # noqa: PTH105
    assert [tokens.name_of(each) for each in (b"first", b"second", b"third")] == [None, "phone", "tablet"]
    assert tokens.name_of_session(session or "") is None
    path.write_text("phone: fourth\nnonsense\n")
    assert [tokens.name_of(each) for each in (b"second", b"fourth")] == ["phone", None]
    path.unlink()
    assert tokens.name_of(b"second") == "phone"
    path.write_text("phone: fifth\n")
    assert [tokens.name_of(each) for each in (b"second", b"fifth")] == [None, "phone"]
    assert [record.levelname for record in caplog.records] == ["INFO", "ERROR", "ERROR", "INFO"]
    assert "line 2 is no token" in caplog.text and "cannot be read" in caplog.text
    assert not any(word in caplog.text for word in ("first", "second", "third", "fourth", "fifth", "nonsense"))


def test_a_file_that_could_not_be_read_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(24, "Too many open files")

    now = 1000.0
    path = tmp_path / "tokens"
    path.write_text("phone: first\n")
    tokens = Tokens(path=str(path))
    monkeypatch.setattr("time.monotonic", lambda: now)
    path.write_text("phone: another\n")
    with monkeypatch.context() as patch:
        patch.setattr("builtins.open", fail)
        assert tokens.name_of(b"first") == "phone"
    now += 60
    assert [tokens.name_of(each) for each in (b"first", b"another")] == [None, "phone"]


@pytest.mark.parametrize(("sent", "token"), [("abc\n", "abc"), ("a:b", "a:b"), (" ", ""), ("a b", ""), ("a\0", "")])
def test_tokens_of_the_environment(sent: str, token: str) -> None:
    if token:
        assert checked_token(sent, "$TOKEN") == token
    else:
        with pytest.raises(InputError, match=r"^\$TOKEN is no token"):
            checked_token(sent, "$TOKEN")


def test_a_name_that_is_none_cannot_be_read() -> None:
    with pytest.raises(InputError, match="cannot be read"):
        Tokens(path="a\0b")


@pytest.mark.skipif(not Path("/dev/fd").is_dir(), reason="there are no names of pipes")
def test_a_pipe_is_read_once() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"sesame\n")
    os.close(writer)
    tokens = Tokens(path=f"/dev/fd/{reader}")
    assert tokens.name_of(b"sesame") == "token"
    os.close(reader)
    assert tokens.name_of(b"sesame") == "token"


def test_a_session_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_800_000_000.0
    monkeypatch.setattr("time.time", lambda: now)
    tokens = Tokens("sesame")
    assert tokens.session(b"wrong") is None
    session = tokens.session(b"sesame") or ""
    end, _, signature = session.partition(".")
    assert tokens.name_of_session(f"{int(end) + 1}.{signature}") is None  # the signature is of the time, too
    now += SESSION_SECONDS
    assert tokens.name_of_session(session) == "token"
    now += 1
    assert tokens.name_of_session(session) is None


def test_every_token_is_compared_whichever_was_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tokens").write_text("a: 1\nb: 2\nc: 3\n")
    tokens = Tokens(path=str(tmp_path / "tokens"))
    compare, compared = hmac.compare_digest, list[tuple[bytes, bytes]]()

    def compare_noted(left: bytes, right: bytes) -> bool:
        compared.append((left, right))
        return compare(left, right)

    monkeypatch.setattr("hmac.compare_digest", compare_noted)
    for sent in (b"1", b"2", b"3", b"4"):
        compared.clear()
        tokens.name_of(sent)
        assert len(compared) == 3
        assert all(len(left) == len(right) == 32 for left, right in compared)


def test_without_tokens_there_are_none() -> None:
    assert not Tokens()
    assert Tokens("x")
    assert Tokens().name_of(b"") is None
