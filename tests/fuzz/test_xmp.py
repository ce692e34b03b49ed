"""Tags and ratings written into XMP: what is read again, and nothing else has changed."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from numpyclip.xmp.packet import Packet
from tests.xmp.test_packet import LIGHTROOM, RATING, SUBJECT, TAGS_LIST

NAMES = st.text(st.characters(exclude_categories=("Cc", "Cs", "Cn", "Zs", "Zl", "Zp")), min_size=1, max_size=8).map(
    lambda text: unicodedata.normalize("NFC", text)
)
LISTS = st.lists(NAMES, max_size=4, unique=True)


@given(st.lists(st.tuples(LISTS, LISTS, st.sampled_from([None, "0", "5"])), min_size=1, max_size=4))
def test_what_was_written_is_read(edits: list[tuple[list[str], list[str], str | None]]) -> None:
    data = LIGHTROOM.encode()
    for subject, tags, rating in edits:
        data = Packet(data).edited({SUBJECT: subject, TAGS_LIST: tags, RATING: rating})
        read = Packet(data)
        assert sorted(read.values(SUBJECT)) == sorted(subject)
        assert sorted(read.values(TAGS_LIST)) == sorted(tags)
        assert read.values(RATING) == ([] if rating is None else [rating])
        assert b"\n   <crs:Look>\n    <rdf:Description crs:Name=" in data
