"""What the environment says about downloads."""

from pathlib import Path

import pytest

from numpyclip.errors import DownloadError
from numpyclip.weights.network_settings import (
    hub_cache,
    hub_endpoint,
    hub_token,
    remedy_to_send_token,
    setting_against_hub,
)
from tests.weights.hub_server import imported_anew

VARIABLES = ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME")


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"XDG_CACHE_HOME": "/x"},
        {"HF_HOME": "~/h"},
        {"HF_HOME": "$XDG_CACHE_HOME/h", "XDG_CACHE_HOME": "/x"},
        {"HF_HOME": "/h", "HUGGINGFACE_HUB_CACHE": "/old"},
        {"HF_HOME": "/h", "HUGGINGFACE_HUB_CACHE": "/old", "HF_HUB_CACHE": "$HF_HOME/c"},
    ],
)
def test_the_cache_is_where_huggingface_hub_has_it(monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]) -> None:
    pytest.importorskip("huggingface_hub")
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    imported_anew(monkeypatch)
    from huggingface_hub import constants

    assert hub_cache() == Path(constants.HF_HUB_CACHE)


def test_offline_names_the_setting_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert setting_against_hub() is None
    monkeypatch.setenv("TRANSFORMERS_OFFLINE", "yes")
    assert setting_against_hub() == "$TRANSFORMERS_OFFLINE"
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert setting_against_hub() == "$HF_HUB_OFFLINE"
    monkeypatch.setenv("NUMPYCLIP_OFFLINE", "1")
    assert setting_against_hub() == "$NUMPYCLIP_OFFLINE"


@pytest.mark.parametrize("value", ["file:///tmp", "huggingface.co", "ftp://x", "https://", "http:///x", "http://a b/"])
def test_an_endpoint_that_is_no_web_address_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("HF_ENDPOINT", value)
    with pytest.raises(DownloadError, match=r"\$HF_ENDPOINT: is no URL"):
        hub_endpoint()


def test_an_endpoint_with_a_password_is_refused_without_showing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "https://me:secret@example.org")
    with pytest.raises(DownloadError, match="user name") as caught:
        hub_endpoint()
    assert "secret" not in str(caught.value)


def test_a_token_that_is_none_is_refused_without_showing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_sec\nret")
    with pytest.raises(DownloadError, match="HF_TOKEN") as caught:
        hub_token()
    assert "sec" not in str(caught.value)


@pytest.mark.parametrize(
    ("endpoint", "goes"),
    [
        *(
            (url, True)
            for url in ("https://hub.example", "http://127.0.0.1:80", "http://localhost/x", "http://[::1]:1")
        ),
        *((url, False) for url in ("http://hub.example", "http://127.0.0.1.example", "http://localhost.example:80")),
    ],
)
def test_a_token_goes_to_no_other_machine_in_clear(monkeypatch: pytest.MonkeyPatch, endpoint: str, goes: bool) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_x")
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    assert hub_token() == ("hf_x" if goes else None)
    remedy = "set $HF_ENDPOINT to a URL with https, as no token is sent over http"
    assert remedy_to_send_token() == (None if goes else remedy)


def test_tokens_may_be_forbidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", " hf_x\n")
    assert hub_token() == "hf_x"
    monkeypatch.setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")
    assert hub_token(lambda: "hf_y") is None
