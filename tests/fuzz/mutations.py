"""Strategies for files that are nearly sound: those that a library wrote, with bytes changed, moved, cut or put in."""

from collections.abc import Sequence

from hypothesis import strategies as st

_INTERESTING = (
    *(b"\x00", b"\xff", b"\x7f", b"\x80", b"\xff" * 4, b"\xff" * 8, b"\x7f" + b"\xff" * 3, b"\x00" * 8),
    *(b"(", b"t", b"}", b"]", b")", b"R", b"Q", b".", b"\x94", b"\x85", b"h\x00", b"PK\x05\x06", b"PK\x01\x02"),
    *(b"{", b"[", b",", b'"', b"0", b"-1", b"1e9", b"99999999999999999999", b"NaN", b"null", b"\\ud800"),
)


@st.composite
def mutated(draw: st.DrawFn, genuine: Sequence[bytes]) -> bytes:
    """Draw one of the files, and change it in up to five places, mostly at its ends, where its structure is."""
    content = bytearray(draw(st.sampled_from(genuine)))
    for _ in range(draw(st.integers(1, 5))):
        near = draw(st.integers(0, 300))
        place = draw(st.sampled_from([near, len(content) - near, draw(st.integers(0, max(len(content), 1)))]))
        place = min(max(place, 0), len(content))
        kind = draw(st.sampled_from(["set", "put", "cut", "copy", "end"]))
        if kind == "set" and place < len(content):
            content[place] = draw(st.integers(0, 255))
        elif kind == "put":
            piece = draw(st.sampled_from(_INTERESTING) | st.binary(max_size=8))
            content[place:place] = piece * draw(st.sampled_from([1, 1, 1, 1000]))
        elif kind == "cut":
            del content[place : place + draw(st.integers(1, 64))]
        elif kind == "copy":
            other = draw(st.integers(0, len(content)))
            content[place : place + 16] = content[other : other + 16]
        elif draw(st.booleans()):
            del content[place:]
    return bytes(content)
