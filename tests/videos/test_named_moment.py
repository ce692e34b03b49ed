import pytest

from numpyclip.videos.named_moment import moment_of


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("clip.mp4@12.5", ("clip.mp4", 12.5)),
        ("a@b/clip.MOV@0", ("a@b/clip.MOV", 0.0)),
        *((name, None) for name in ("clip.mp4", "a.jpg@3", "clip.mp4@", "clip.mp4@-1", "clip.mp4@1e3", "@1", "")),
    ],
)
def test_moments_are_videos_with_seconds(name: str, expected: object) -> None:
    assert moment_of(name) == expected
