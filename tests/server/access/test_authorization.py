"""Who is answered: by host, site, token and address."""

from ipaddress import ip_network
from typing import Any

import pytest

from numpyclip.errors import InputError
from numpyclip.server import Settings, Tokens
from tests.server.access.test_middleware import talk
from tests.server.conftest import Client, Serve, running


def test_a_name_that_is_not_the_servers_is_not_answered(serve: Serve) -> None:
    client = serve(allowed_hosts=("127.0.0.1", "localhost", "[::1]"))
    for name in ("127.0.0.1", "localhost:8000", "LOCALHOST", "[::1]:8000"):
        assert client.get("/healthz", Host=name).status == 200, name
    for name in (
        *("evil.example", "127.0.0.1.evil.example:8000", "", "localhost.evil", "localhost.", "[::1].evil", "[::1"),
        *("localhost:80@evil.com", "localhost@evil.com", "localhost, evil.com", "evil.com,localhost", "localhost:"),
        *("localhost:80:80", "localhost:x", "localhost/", "localhost#", "[::ffff:127.0.0.1]", "127.1", "[::1]:80@evil"),
    ):
        assert client.get("/healthz", Host=name).status == 421, name
    assert talk(client, b"GET /healthz HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 421 ")
    twice = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n"
    assert talk(client, twice).startswith(b"HTTP/1.1 400 ")


def test_a_name_that_is_none_is_not_answered_anywhere(serve: Serve) -> None:
    client = serve(token="x")
    for name in ("[", "a b", "localhost:80@evil.com"):
        assert client.post("/login", {"token": "x"}, Host=name).status == 421, name
    assert client.post("/login", {"token": "x"}, Host="any.example:80").status == 204


def test_pages_of_other_sites_are_not_answered(client: Client) -> None:
    assert client.get("/search?q=a", Sec_Fetch_Site="cross-site").status == 403
    assert client.get("/thumbnails/1", Sec_Fetch_Site="cross-site").status == 403
    assert client.get("/search?q=a", Sec_Fetch_Site="same-origin").status == 200
    assert client.get("/", Sec_Fetch_Site="cross-site", Accept="text/html").status == 200  # a link to the page
    assert client.get("/search?q=a", Sec_Fetch_Site="same-site").status == 403  # another port
    assert client.get("/search?q=a", Sec_Fetch_Site="same-origin, cross-site").status == 403


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://album.example:8000", 200),
        ("https://ALBUM.example:8000", 200),
        ("http://album.example", 403),
        ("http://album.example:8000.evil", 403),
        ("http://evil.example", 403),
        ("ftp://album.example:8000", 403),
        ("null", 403),
        ("", 403),
    ],
)
def test_browsers_that_send_only_an_origin(client: Client, origin: str, status: int) -> None:
    host = "album.example:8000"
    assert client.post("/search", {"query": "a"}, Host=host, Origin=origin).status == status
    assert client.get("/", Host=host, Origin=origin).status == 200
    behind_a_proxy = client.post("/search", {"query": "a"}, Host=host, Origin=origin, Sec_Fetch_Site="same-origin")
    assert behind_a_proxy.status == 200


def test_a_token_is_needed_where_there_is_one(serve: Serve) -> None:
    client = serve(token="sésame")
    for path in ("/search?q=a", "/thumbnails/1", "/index", "/metrics", "/openapi.json", "/docs", "/nowhere"):
        answer = client.get(path)
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer"), path
    for path in ("/healthz", "/ping", "/"):
        assert client.get(path).status == 200
    for given in ("Bearer wrong", "Bearer", "Basic sésame", "sésame", "Bearer sésame2"):
        assert client.get("/index", Authorization=given.encode().decode("latin-1")).status == 401, given
    plain = serve(token="sesame")
    assert plain.get("/index", Authorization="Bearer sesame").status == 200
    assert plain.get("/index", Authorization="bearer  sesame").status == 200


def test_the_page_keeps_the_token_as_a_cookie(serve: Serve) -> None:
    client = serve(token="sesame")
    assert client.post("/login", {"token": "wrong"}).status == 401
    answer = client.post("/login", {"token": "sesame"})
    assert answer.status == 204
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie
    assert client.get("/index", Cookie=cookie.partition(";")[0]).status == 200
    session = cookie.partition(";")[0]
    assert "sesame" not in cookie and f"Max-Age={30 * 24 * 3600}" in cookie and "Secure" not in cookie
    for wrong in ("wrong", "sesame", "", "9" * 12, f"{'9' * 12}.{'0' * 64}", "1.2.3", "\xb2.\xe4"):
        assert client.get("/index", Cookie=f"numpyclip_session={wrong}").status == 401, wrong
    assert client.get("/index", Cookie='a="\x01; numpyclip_session').status == 401
    assert client.get("/index", Cookie=f"numpyclip_session=other; {session}").status == 200
    assert serve(token="sesame").get("/index", Cookie=session).status == 200  # after a restart, or of another process
    assert serve(token="other").get("/index", Cookie=session).status == 401
    answer = client.post("/logout", {})
    assert answer.status == 204 and "Max-Age=0" in answer.headers["Set-Cookie"]
    odd = serve(token='sé=;" ,')
    answer = odd.post("/login", {"token": 'sé=;" ,'})
    assert odd.get("/index", Cookie=f"a=b; {answer.headers['Set-Cookie'].partition(';')[0]}").status == 200
    assert serve().post("/login", {"token": "x"}).status == 401


def test_a_token_that_is_no_unicode_is_wrong(serve: Serve) -> None:
    assert serve(token="sesame").post("/login", {"token": "\ud800"}).status == 401


def test_a_token_in_utf8_is_compared_byte_by_byte(serve: Serve) -> None:
    client = serve(token="s\xe9same")
    assert client.get("/index", Authorization="Bearer s\xe9same".encode().decode("latin-1")).status == 200
    assert client.get("/index", Authorization="Bearer s\xe9same").status == 401  # in Latin-1


def test_a_token_may_end_in_a_byte_that_is_a_blank_in_latin1(serve: Serve) -> None:
    sent = "Bearer voil\xe0".encode().decode("latin-1")
    assert serve(token="voil\xe0").get("/index", Authorization=sent).status == 200


def test_behind_tls_the_cookie_is_secure(serve: Serve) -> None:
    client = serve(token="sesame")
    answer = client.post("/login", {"token": "sesame"}, X_Forwarded_Proto="https")
    assert "; Secure" in answer.headers["Set-Cookie"]


EVIL = {"Origin": "https://evil.example", "Sec_Fetch_Site": "cross-site"}
GOOD = {"Origin": "https://good.example", "Sec_Fetch_Site": "cross-site"}
TOKEN = {"Authorization": "Bearer sesame"}


def test_pages_of_an_admitted_site_are_answered_and_only_these(serve: Serve) -> None:
    client = serve(token="sesame", cors_origins=("https://good.example",))
    answer = client.post("/search", {"query": "a"}, **GOOD, **TOKEN)
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (200, "https://good.example")
    assert "Access-Control-Allow-Credentials" not in answer.headers
    answer = client.post("/search", {"query": "a"}, **EVIL, **TOKEN)
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (403, None)
    for other in ("http://good.example", "https://good.example:8443", "https://good.example.evil.example", "null"):
        assert client.post("/search", {"query": "a"}, Origin=other, **TOKEN).status == 403, other
    assert (
        client.get("/search?q=a", Sec_Fetch_Site="cross-site", **TOKEN).status == 403
    )  # as <img> does, without Origin
    for headers in ({}, EVIL, GOOD):
        assert "Origin" in client.get("/index", **headers).headers["Vary"]


def test_preflights_are_answered_before_the_token(serve: Serve) -> None:
    client = serve(token="sesame", cors_origins=("https://good.example",))
    asks = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "authorization,content-type"}
    answer = client("OPTIONS", "/v1/embeddings", None, **GOOD, **asks)
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (200, "https://good.example")
    assert "authorization" in answer.headers["Access-Control-Allow-Headers"].lower()
    answer = client("OPTIONS", "/v1/embeddings", None, **EVIL, **asks)
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (400, None)
    asks["Access_Control_Request_Method"] = "DELETE"
    assert client("OPTIONS", "/v1/embeddings", None, **GOOD, **asks).status == 400


@pytest.mark.parametrize("origins", [("*",), ("https://good.example",)])
def test_pages_of_other_sites_have_no_use_of_cookies_and_addresses(serve: Serve, origins: tuple[str, ...]) -> None:
    client = serve(token="sesame", cors_origins=origins, trusted_networks=(ip_network("127.0.0.1"),))
    cookie = client.post("/login", {"token": "sesame"}).headers["Set-Cookie"].partition(";")[0]
    assert client.get("/index").status == 200
    assert client.get("/index", **GOOD).status == 401
    assert client.get("/index", **GOOD, Cookie=cookie).status == 401
    assert client.get("/index", **GOOD, **TOKEN).status == 200


def test_all_sites_need_a_token() -> None:
    with pytest.raises(InputError, match="set a token, or name origins"):
        Settings(cors_origins=("*",))
    with pytest.raises(InputError, match=r"'https://a.example/' is not an origin"):
        Settings(cors_origins=("https://a.example/",))


def test_clients_at_a_trusted_address_need_no_token(serve: Serve) -> None:
    client = serve(token="sesame", trusted_networks=(ip_network("127.0.0.0/8"), ip_network("fd00::/8")))
    for host in ("127.0.0.1", "immich-ml:3003", "[::1]", "localhost"):
        assert client.get("/index", Host=host).status == 200, host
    for host in ("photos.example", "127.0.0.1.evil.example", "127.1"):  # whose DNS may point here
        assert client.get("/index", Host=host).status == 401, host
    assert serve(token="sesame", trusted_networks=(ip_network("127.0.0.2"),)).get("/index").status == 401


def test_an_address_is_believed_only_of_a_proxy(place: str, tiny: Any) -> None:
    from numpyclip.server import create_app

    settings = Settings(tokens=Tokens("sesame"), trusted_networks=(ip_network("10.0.0.0/8"),))
    with running(create_app(tiny, "tiny", place, settings)) as client:
        assert client.get("/index").status == 401
        assert client.get("/index", X_Forwarded_For="10.1.2.3").status == 200
        assert client.get("/index", X_Forwarded_For="10.1.2.3, 203.0.113.9").status == 401  # the proxy adds the last
        assert client.get("/index", X_Forwarded_For="203.0.113.9, 10.1.2.3").status == 200
        assert client.get("/index", X_Forwarded_For="nonsense\x1b").status == 401
    with running(create_app(tiny, "tiny", place, settings), proxies=(ip_network("192.0.2.1"),)) as client:
        assert client.get("/index", X_Forwarded_For="10.1.2.3").status == 401
        answer = client.post("/login", {"token": "sesame"}, X_Forwarded_Proto="https")
        assert "Secure" not in answer.headers["Set-Cookie"]


@pytest.mark.parametrize("header", ["X_Forwarded_For", "Forwarded", "X_Real_IP"])
def test_clients_of_a_proxy_that_is_not_believed_are_not_trusted(
    tiny: Any, header: str, caplog: pytest.LogCaptureFixture
) -> None:
    from numpyclip.server import create_app

    proxies = (ip_network("172.18.0.0/16"),)
    settings = Settings(tokens=Tokens("sesame"), trusted_networks=(ip_network("127.0.0.0/8"),))
    with running(create_app(tiny, "tiny", None, settings), proxies=proxies) as client:
        assert client.get("/v1/models").status == 200
        for sent in ("203.0.113.9", "127.0.0.1", "127.0.0.1, 203.0.113.9", ""):
            assert client.get("/v1/models", **{header: sent}).status == 401, sent
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    advice = (
        "that sets X-Forwarded-For: --proxy 127.0.0.1." if header == "X_Forwarded_For" else "have it set X-Forwarded-F"
    )
    assert advice in warning  # with the others, --proxy would change nothing
    with running(create_app(tiny, "tiny", None), proxies=proxies) as client:
        assert client.get("/metrics").status == 200
        assert client.get("/metrics", **{header: "127.0.0.1"}).status == 403


def test_metrics_are_for_this_machine_unless_more_is_allowed(serve: Serve) -> None:
    client = serve()
    assert client.get("/metrics").status == 200
    answer = client.get("/metrics", X_Forwarded_For="203.0.113.9")
    assert (answer.status, "--trusted-address 203.0.113.9" in answer.message) == (403, True)
    assert client.get("/index", X_Forwarded_For="203.0.113.9").status == 200
    client = serve(trusted_networks=(ip_network("203.0.113.0/24"),))
    assert client.get("/metrics", X_Forwarded_For="203.0.113.9").status == 200
    client = serve(token="sesame")
    assert client.get("/metrics").status == 401
    assert client.get("/metrics", X_Forwarded_For="203.0.113.9", **TOKEN).status == 200


def test_a_refused_client_learns_what_was_wrong(serve: Serve) -> None:
    client = serve(token="sesame", trusted_networks=(ip_network("127.0.0.0/8"),))
    for headers, message in (
        (
            {"Host": "nas.home.lan"},
            "this Host needs a token, unless the server's owner allows it with --allow-host.",
        ),
        (
            {"Host": "nas.home.lan", "Authorization": "Bearer old"},
            "the token is not valid; expected one of this server",
        ),
    ):
        answer = client.get("/search", **headers)
        assert answer.status == 401
        assert message in answer.message
    assert client.get("/search", Host="nas").status == 200
    assert client.get("/search", Host="nas", Sec_Fetch_Site="cross-site").status == 403
