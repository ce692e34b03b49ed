"""URLs are told from paths, their secrets are kept, and web servers are not waited for."""

import pytest

from numpyclip.file_systems import file_system, is_url, without_passwords, without_secrets


def test_urls_are_told_from_paths() -> None:
    chains = ["zip://a.jpg::s3://b/a.zip", "simplecache::s3://b/k", "simplecache::zip://a.jpg::s3://b/a.zip"]
    assert all(map(is_url, ["s3://b/k", "hf://datasets/a/b", "HTTPS://x", *chains]))
    paths = ["a.jpg", "/a://b", "C://a", "C:\\a", "s3:/a", "./s3://a", "://a", "", "a::b.jpg", "C::s3://b"]
    assert not any(map(is_url, paths))


@pytest.mark.parametrize(
    ("place", "written"),
    [
        ("https://x.org/a/00000.tar?X-Amz-Signature=a/b#c", "https://x.org/a/00000.tar"),
        ("HTTPS://me:secret@x.org?token=1", "HTTPS://x.org"),
        ("sftp://me:s@cret@host//a@b/0.tar", "sftp://me@host//a@b/0.tar"),
        ("zip://0.tar::ftp://me:secret@host/a.zip", "zip://0.tar::ftp://me@host/a.zip"),
        ("zip://0.tar::https://token@x.org/a.zip?sig=a", "zip://0.tar::https://x.org/a.zip"),
        ("simplecache::https://x.org/0.tar?sig=a", "simplecache::https://x.org/0.tar"),
        ("abfs://container@account/0.tar", "abfs://container@account/0.tar"),
        ("s3://b/a?b@c.tar", "s3://b/a?b@c.tar"),
        ("/data/me:1@x?y.tar", "/data/me:1@x?y.tar"),
    ],
)
def test_passwords_and_signatures_are_not_written_down(place: str, written: str) -> None:
    assert without_secrets(place) == written


def test_queries_are_part_of_what_images_are() -> None:
    assert without_passwords("https://me:secret@x.org/a?id=1") == "https://x.org/a?id=1"


def test_a_web_server_that_hangs_is_not_waited_for() -> None:
    pytest.importorskip("fsspec", reason="URLs need fsspec")
    pytest.importorskip("aiohttp", reason="http:// URLs need aiohttp")
    for patient, total in ((True, None), (False, 60)):
        system, _ = file_system("https://x.org/a.bin", patient)
        timeout = system.kwargs["timeout"]
        assert (timeout.total, timeout.sock_connect, timeout.sock_read) == (total, 10, 30)
