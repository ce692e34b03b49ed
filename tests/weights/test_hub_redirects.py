"""Where a hub redirects to, and what goes there: no token that is not for it."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from numpyclip.errors import DownloadError, ModelNotFoundError
from numpyclip.weights import hub_client, transfer
from tests.weights.hub_server import COMMIT, Handler, Hub, imported_anew
from tests.weights.hub_trouble import PLACES, SHA256, TOKEN, WEIGHTS, fails, get, on
from tests.weights.scripted_server import answer, serving

# Redirects and tokens


def test_relative_redirects_are_followed_with_what_the_first_one_states(hub: Hub) -> None:
    def moved(handler: Handler) -> bool:
        path = handler.path
        if "/resolve/" in path and "model.safetensors" in path:
            facts: dict[str, Any] = {
                "X_Linked_Etag": f'"{SHA256}"',
                "X_Linked_Size": len(WEIGHTS),
                "X_Repo_Commit": COMMIT,
            }
            return handler.answer(307, Location="/elsewhere/model.safetensors", **facts)
        return False

    hub.trouble = moved
    assert (get() / "model.safetensors").resolve().name == SHA256


def test_a_repository_that_was_renamed_is_followed(hub: Hub) -> None:
    def renamed(handler: Handler) -> bool:
        if "old/name" not in handler.path:
            return False
        return handler.answer(307, Location=handler.path.replace("old/name", "someone/model"))

    hub.trouble = renamed
    assert (get("hf-hub:old/name") / "model.safetensors").read_bytes() == WEIGHTS


@pytest.mark.parametrize("place", PLACES)
def test_redirects_in_circles_end(hub: Hub, tmp_path: Path, place: str) -> None:
    circle = on(place, lambda handler: handler.answer(302, Location=handler.path))
    fails(tmp_path, hub, circle, "HTTP 302|infinite loop")


@pytest.mark.parametrize("to", ["file:///etc/passwd", "ftp://127.0.0.1/x"])
def test_redirects_out_of_the_web_are_refused(hub: Hub, tmp_path: Path, to: str) -> None:
    for place in PLACES:
        fails(tmp_path, hub, on(place, lambda handler: handler.answer(302, Location=to)), "not secure|not allowed")
        shutil.rmtree(tmp_path / "home")


class Tokens:
    """What Authorization came with which request."""

    def __init__(self, hub: Hub, wanted: bool = False) -> None:
        self.seen: list[tuple[str, str | None]] = []
        self._wanted = wanted
        hub.trouble = self

    def __call__(self, handler: Handler) -> bool:
        token = handler.headers.get("Authorization")
        self.seen.append((handler.path, token))
        if self._wanted and token != f"Bearer {TOKEN}" and "elsewhere" not in handler.path:
            return handler.refuse(401, "GatedRepo" if "/resolve/" in handler.path else "")
        return False


def test_a_token_goes_to_the_hub_and_not_to_where_files_are(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    tokens = Tokens(hub, wanted=True)
    get()
    assert {token for path, token in tokens.seen if "elsewhere" in path} == {None}
    assert {token for path, token in tokens.seen if "elsewhere" not in path} == {f"Bearer {TOKEN}"}


def test_a_token_for_this_machine_goes_through_no_proxy(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    tokens = Tokens(hub, wanted=True)
    with serving(b"", answer(502)) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        get()
    assert (f"Bearer {TOKEN}" in dict(tokens.seen).values(), proxy.asked) == (True, [])


def test_a_token_goes_with_redirects_within_the_hub(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    tokens = Tokens(hub, wanted=True)

    def renamed(handler: Handler) -> bool:
        if "old/name" in handler.path:
            return handler.answer(307, Location=handler.path.replace("old/name", "someone/model"))
        return tokens(handler)

    hub.trouble = renamed
    get("hf-hub:old/name")
    assert {token for path, token in tokens.seen if "someone/model" in path} == {f"Bearer {TOKEN}"}


def test_a_token_that_leaves_the_hub_does_not_come_back(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    tokens = Tokens(hub)

    def there_and_back(handler: Handler) -> bool:
        tokens(handler)
        if handler.path.startswith("/elsewhere/") and "127" not in handler.headers["Host"]:
            return handler.answer(302, Location=f"{hub.url}/elsewhere/model.safetensors")
        return False

    hub.trouble = there_and_back
    get()
    assert {token for path, token in tokens.seen if "elsewhere" in path} == {None}


def test_without_a_token_none_is_sent(hub: Hub) -> None:
    tokens = Tokens(hub)
    get()
    assert {token for _, token in tokens.seen} == {None}


def test_the_token_of_huggingface_hub_is_used_where_one_is_wanted(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("huggingface_hub")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "token").write_text(f"{TOKEN}\n")
    imported_anew(monkeypatch)
    tokens = Tokens(hub, wanted=True)
    get()
    assert [token for path, token in tokens.seen if "elsewhere" not in path] == [None, *[f"Bearer {TOKEN}"] * 5]


def test_a_token_that_has_expired_is_no_reason_to_refuse_what_is_public(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the hub does, which answers 401 to a token that is none."""
    monkeypatch.setenv("HF_TOKEN", "hf_expired")
    hub.trouble = lambda handler: "Authorization" in handler.headers and handler.refuse(401)
    assert (get() / "model.safetensors").read_bytes() == WEIGHTS
    assert len(hub.asked) == 7  # one of them twice


def test_a_token_that_may_not_read_it_is_said(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    hub.trouble = lambda handler: handler.refuse(403)
    with pytest.raises(ModelNotFoundError, match="the token that was sent may not read it") as caught:
        get()
    assert "hf_wrong" not in str(caught.value)


def test_a_token_whose_account_has_not_accepted_a_license_is_said(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    hub.trouble = lambda handler: handler.refuse(403, "GatedRepo")
    with pytest.raises(ModelNotFoundError, match=r"Accept it at http.* with the account of the token") as caught:
        get()
    assert "set $HF_TOKEN" not in str(caught.value)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("to", ["ftp://127.0.0.1/x", "data:x", "http://me:secret@127.0.0.1:1/x"])
def test_what_is_secret_in_a_redirect_is_not_shown(hub: Hub, to: str, place: str) -> None:
    hub.trouble = on(place, lambda handler: handler.answer(302, Location=f"{to}?X-Amz-Signature=secret"))
    with pytest.raises(DownloadError) as caught:
        get()
    assert "secret" not in str(caught.value)


def test_limits_are_what_published_models_need() -> None:
    assert transfer.LIMIT > 20 << 30  # EVA02-E-14-plus in single precision
    assert hub_client.SMALL > 34_363_039  # the tokenizer of SigLIP 2
