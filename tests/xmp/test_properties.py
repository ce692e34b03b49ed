from numpyclip.image_marks import Marks, is_tag
from numpyclip.xmp.packet import Packet
from numpyclip.xmp.properties import automatic_in, dates_in, marks_in, with_automatic, with_marks
from tests.xmp.test_packet import LIGHTROOM, SUBJECT, TAGS_LIST, packet

DIGIKAM = """\
<?xml version="1.0" encoding="UTF-8"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 4.4.0-Exiv2">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:digiKam="http://www.digikam.org/ns/1.0/"
    xmlns:MicrosoftPhoto="http://ns.microsoft.com/photo/1.0/"
    xmlns:lr="http://ns.adobe.com/lightroom/1.0/"
    xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:exif="http://ns.adobe.com/exif/1.0/"
   MicrosoftPhoto:Rating="75"
   exif:DateTimeOriginal="2024-05-01T12:30:00+02:00"
   xmp:CreateDate="2024-05-02"
   xmp:Rating="4">
   <digiKam:TagsList>
    <rdf:Seq>
     <rdf:li>places/Italy</rdf:li>
     <rdf:li>boat</rdf:li>
    </rdf:Seq>
   </digiKam:TagsList>
   <lr:hierarchicalSubject>
    <rdf:Bag>
     <rdf:li>places|Italy</rdf:li>
     <rdf:li>boat</rdf:li>
     <rdf:li>darktable|format|jpg</rdf:li>
    </rdf:Bag>
   </lr:hierarchicalSubject>
   <dc:subject>
    <rdf:Bag>
     <rdf:li>Italy</rdf:li>
     <rdf:li>boat</rdf:li>
    </rdf:Bag>
   </dc:subject>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
"""
HIERARCHY = ("http://ns.adobe.com/lightroom/1.0/", "hierarchicalSubject", "lr")
MARKS = Marks(True, 5, ("beach", "places/Italy/Rome"), ("Italy 2024",))


def lists(read: Packet) -> list[list[str]]:
    return [read.values(name) for name in (TAGS_LIST, HIERARCHY, SUBJECT)]  # type: ignore[arg-type]


def test_marks_of_other_programs_are_read() -> None:
    assert marks_in(packet(DIGIKAM)) == Marks(False, 4, ("places/Italy", "boat"), ())
    assert marks_in(packet(LIGHTROOM)) == Marks(False, 3, ("Familie & Freunde", "Zürich"), ())
    assert dates_in(packet(DIGIKAM)) == ["2024-05-01T12:30:00+02:00", "2024-05-02"]
    for written, rating in {"0": None, "-1": None, "4.0": 4, "6": None, "x": None, "": None, "1e999": None}.items():
        changed = LIGHTROOM.replace("xmp:Rating = '3'", f"xmp:Rating = '{written}'")
        assert marks_in(packet(changed)).rating == rating


def test_marks_are_written_as_other_programs_read_them_and_come_back() -> None:
    written = Packet(with_marks(Packet(), MARKS))
    assert marks_in(written) == MARKS
    assert lists(written) == [
        ["beach", "places/Italy/Rome"],
        ["beach", "places|Italy|Rome"],
        ["beach", "Rome"],
    ]
    assert with_marks(written, MARKS) == written.edited({})


def test_ten_thousand_tags_are_written_and_removed_without_a_trace() -> None:
    tags = tuple(f"t{number}/Ü|{number}" for number in range(10_000))
    written = Packet(with_marks(Packet(), Marks(tags=tags)))
    fewer = Packet(with_marks(written, Marks(tags=(*tags[:5000], "new"))))
    assert (set(marks_in(written).tags), set(marks_in(fewer).tags)) == ({*tags}, {*tags[:5000], "new"})
    assert with_marks(fewer, Marks()) == Packet().edited({})


def test_a_list_that_is_not_there_gets_the_tags_of_the_others() -> None:
    """digiKam and Immich read the first list that there is, and no other."""
    written = Packet(with_marks(packet(LIGHTROOM), Marks(tags=("beach",))))
    assert lists(written) == [["Familie & Freunde", "Zürich", "beach"]] * 3
    alone = Packet(with_marks(Packet(), Marks(tags=("beach",)), others=["in the image", "a/b"]))
    assert lists(alone)[0] == ["in the image", "a/b", "beach"]
    assert lists(alone)[2] == ["in the image", "b", "beach"]
    again = with_marks(packet(DIGIKAM), Marks(rating=4, tags=("places/Italy", "boat", "x")), others=["in the image"])
    assert lists(Packet(again))[0] == ["places/Italy", "boat", "x"]


def test_what_is_no_tag_stays_in_its_list_and_is_not_copied() -> None:
    broken = LIGHTROOM.replace("Zürich", "Zü\nrich")
    written = Packet(with_marks(packet(broken), Marks(tags=("beach",))))
    assert lists(written) == [["Familie & Freunde", "beach"]] * 2 + [["Familie & Freunde", "Zü\nrich", "beach"]]


def test_what_is_no_mark_any_more_is_removed_if_it_was_written_here() -> None:
    written = Packet(with_marks(packet(DIGIKAM), MARKS))
    assert marks_in(written) == Marks(True, 5, ("places/Italy", "boat", *MARKS.tags), MARKS.albums)
    removed = Packet(with_marks(written, Marks()))
    assert marks_in(removed) == Marks(False, None, ("places/Italy", "boat"), ())
    assert lists(removed) == lists(packet(DIGIKAM))
    kept = Packet(with_marks(packet(DIGIKAM), Marks()))
    assert kept.edited({}) == DIGIKAM.encode()


def test_nothing_is_written_where_nothing_changes() -> None:
    same = Marks(rating=4, tags=("boat", "places/Italy"))
    assert with_marks(packet(DIGIKAM), same) == DIGIKAM.encode()
    assert with_automatic(packet(DIGIKAM), []) == DIGIKAM.encode()


def test_automatic_tags_are_told_from_those_of_a_person_and_removed_again() -> None:
    written = Packet(with_automatic(packet(DIGIKAM), ["harbour", "boat"]))
    assert automatic_in(written) == ("harbour",)  # the boat is a person's
    assert marks_in(written) == marks_in(packet(DIGIKAM))
    assert [values[-1] for values in lists(written)] == ["numpyclip/harbour", "numpyclip|harbour", "harbour"]
    assert with_automatic(written, ["harbour"]) == written.edited({})
    assert automatic_in(Packet(with_automatic(written, ["sea"]))) == ("sea",)
    assert with_automatic(written, []) == DIGIKAM.encode()


def test_an_automatic_tag_that_a_person_sets_too_stays_when_it_is_removed() -> None:
    both = Packet(with_marks(Packet(with_automatic(Packet(), ["sea"])), Marks(tags=("sea",))))
    assert lists(both)[0] == ["numpyclip/sea", "sea"]
    assert lists(Packet(with_automatic(both, []))) == [["sea"]] * 3


def test_marks_are_joined_with_the_rating_of_the_second() -> None:
    assert Marks(False, 2, ("a",), ("x",)) | Marks(True, None, ("b", "a"), ()) == Marks(True, 2, ("a", "b"), ("x",))
    assert (Marks(rating=2) | Marks(rating=3)).rating == 3


def test_a_tag_has_no_empty_level() -> None:
    assert [is_tag(tag) for tag in ("a", "a/b c", "", "a//b", "/a", "a/", "a\nb", "a/ ")] == [True] * 2 + [False] * 6
