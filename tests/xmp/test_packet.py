import codecs

import pytest

from numpyclip.errors import InputError, PictureError
from numpyclip.xmp import reading
from numpyclip.xmp.packet import MOST_BYTES, Packet
from numpyclip.xmp.reading import Name

SUBJECT = Name("http://purl.org/dc/elements/1.1/", "subject", "dc")
RATING = Name("http://ns.adobe.com/xap/1.0/", "Rating", "xmp")
TAGS_LIST = Name("http://www.digikam.org/ns/1.0/", "TagsList", "digiKam")

LIGHTROOM = """\
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="Adobe XMP Core 7.0-c000 1.000000, 0000/00/00-00:00:00        ">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/"
    xmlns:stEvt="http://ns.adobe.com/xap/1.0/sType/ResourceEvent#"
    xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/"
   xmp:Label="xmp:Rating='1' &gt; 2"
   xmp:Rating = '3'
   crs:Exposure2012="+0.55"
   crs:ToneCurveName2012="Linear">
   <dc:subject>
    <rdf:Bag>
     <rdf:li>Familie &amp; Freunde</rdf:li>
     <rdf:li>Zürich</rdf:li>
    </rdf:Bag>
   </dc:subject>
   <xmpMM:History>
    <rdf:Seq>
     <rdf:li stEvt:action="saved" stEvt:changed="/metadata"/>
    </rdf:Seq>
   </xmpMM:History>
   <crs:Look>
    <rdf:Description crs:Name="Adobe Color" xmp:Rating="1">
     <crs:Parameters rdf:parseType="Resource"><dc:subject>inner</dc:subject></crs:Parameters>
    </rdf:Description>
   </crs:Look>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
"""


def packet(text: str = LIGHTROOM) -> Packet:
    return Packet(text.encode())


def test_values_are_read_where_they_are_and_not_in_what_is_nested() -> None:
    assert packet().values(SUBJECT) == ["Familie & Freunde", "Zürich"]
    assert packet().values(RATING) == ["3"]
    assert packet().values(TAGS_LIST) == []


def test_a_rating_and_a_list_are_changed_and_every_other_byte_stays() -> None:
    edited = packet().edited({RATING: "5", SUBJECT: ["Zürich", "a < b"]}).decode()
    expected = LIGHTROOM.replace("xmp:Rating = '3'", "xmp:Rating = '5'")
    expected = expected.replace("\n     <rdf:li>Familie &amp; Freunde</rdf:li>", "")
    expected = expected.replace("Zürich</rdf:li>", "Zürich</rdf:li>\n     <rdf:li>a &lt; b</rdf:li>")
    assert edited == expected


def test_what_is_added_is_added_to_the_description_and_can_be_removed_without_a_trace() -> None:
    added = packet().edited({TAGS_LIST: ["a/b", "c"]})
    assert Packet(added).values(TAGS_LIST) == ["a/b", "c"]
    assert b"<rdf:Seq>\n     <rdf:li>a/b</rdf:li>\n     <rdf:li>c</rdf:li>\n    </rdf:Seq>\n" in added
    assert Packet(added).edited({TAGS_LIST: None}) == LIGHTROOM.encode()
    assert packet().edited({}) == packet().edited({RATING: "3"}) == LIGHTROOM.encode()


def test_what_is_removed_leaves_the_rest() -> None:
    edited = packet().edited({RATING: None, SUBJECT: []}).decode()
    start, end = LIGHTROOM.index("\n   <dc:subject>"), LIGHTROOM.index("\n   <xmpMM:History>")
    assert edited == (LIGHTROOM[:start] + LIGHTROOM[end:]).replace("\n   xmp:Rating = '3'", "")


@pytest.mark.parametrize(
    "encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"], ids=lambda encoding: encoding
)
def test_the_encoding_and_its_mark_stay(encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="UTF-16"?>\n{LIGHTROOM}'.replace("\n", "\r\n")
    edited = Packet(text.encode(encoding)).edited({RATING: "5"})
    assert edited == text.replace("= '3'", "= '5'").encode(encoding)
    assert Packet(edited).values(SUBJECT)[1] == "Zürich"


@pytest.mark.parametrize(
    "rdf",
    [
        '<rdf:RDF xmlns:rdf="{}"/>',
        '<rdf:RDF xmlns:rdf="{}"></rdf:RDF>',
        '<r:RDF xmlns:r="{}"><r:Description r:about="uuid:1"/></r:RDF>',
        '<RDF xmlns="{}"><Description/></RDF>',
        '<r:RDF xmlns:r="{}"><r:Description xmlns:dc="other:"><dc:a/></r:Description></r:RDF>',
        '<r:RDF xmlns:r="{}"><r:Description xmlns:q="http://purl.org/dc/elements/1.1/" q:subject="x"/></r:RDF>',
        '<r:RDF xmlns:r="{}"><r:Description xmlns="http://purl.org/dc/elements/1.1/"><subject/></r:Description></r:RDF>',
    ],
)
def test_properties_are_added_to_whatever_there_is(rdf: str) -> None:
    text = "<?xpacket begin='' id='W5M0MpCehiHzreSzNTczkc9d'?>" + rdf.format(
        "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
    )
    once = Packet(text.encode()).edited({SUBJECT: ["a", "b"], RATING: "2"})
    twice = Packet(once).edited({SUBJECT: ["b", "c"], RATING: "3"})
    assert (Packet(twice).values(SUBJECT), Packet(twice).values(RATING)) == (["b", "c"], ["3"])
    gone = Packet(twice).edited({SUBJECT: None, RATING: None})
    assert Packet(gone).values(SUBJECT) == Packet(gone).values(RATING) == []
    assert len(Packet(gone).edited({SUBJECT: ["a", "b"], RATING: "2"})) <= len(once)  # nothing piles up


def test_other_ways_of_writing_values_are_read() -> None:
    text = """<a:RDF xmlns:a="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:d="http://purl.org/dc/elements/1.1/">
    <a:Description><d:subject><a:Seq><a:li a:parseType="Resource"><a:value>one</a:value></a:li><a:li><!-- -->t
    <![CDATA[<wo]]> </a:li><a:li/></a:Seq></d:subject></a:Description><a:Description d:subject="three"/></a:RDF>\0\0"""
    assert packet(text).values(SUBJECT) == ["one", "t\n    <wo", "", "three"]
    assert Packet(packet(text).edited({SUBJECT: ["two"]})).values(SUBJECT) == ["two"]


BOMB = '<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;&b;">]><a>&c;</a>'
EXTERNAL = '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BOMB, "document type"),
        (EXTERNAL, "document type"),
        ("<a>&b;</a>", "undefined entity"),
        (LIGHTROOM[:-5], "is no XMP"),
        ("", "is no XMP"),
        ("\0" * 100, "is no XMP"),
        ("<a/>", "expected an element rdf:RDF"),
        ("<a>" * 1000, "nested"),
        ("<?xml version='1.0' encoding='ISO-8859-1'?><a/>", "'ISO-8859-1'; expected UTF-8"),
        ("<a b='1' b='2'/>", "duplicate attribute"),
        ("<a:b/>", "unbound prefix"),
    ],
    ids=lambda value: value[:20].replace("\0", "0") if value[:1] in "<\0" else "",
)
def test_what_is_no_xmp_is_refused(text: str, said: str) -> None:
    with pytest.raises(PictureError, match=said):
        packet(text)


def test_what_is_too_large_or_in_no_encoding_is_refused() -> None:
    with pytest.raises(PictureError, match="bytes; expected XMP of at most"):
        Packet(b" " * (MOST_BYTES + 1))
    for data in (b"\xff\xfe<", b"<a>\xe4</a>", codecs.BOM_UTF8 + b"\xff"):
        with pytest.raises(PictureError, match=r"is no XMP"):
            Packet(data, "a.xmp")


RDF = '<r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#" {}>{}</r:RDF>'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (RDF.format("", "<r:Description/>" * 100), "has over 100 elements"),
        (RDF.format("", "<r:Description {}/>".format(" ".join(f"a{n}=''" for n in range(100)))), "and attributes"),
        (RDF.format(" ".join(f'xmlns:p{n}="u{n}"' for n in range(2001)), "<r:Description/>"), "over 2,000 namespaces"),
    ],
    ids=["elements", "attributes", "namespaces"],
)
def test_what_would_take_gigabytes_is_refused(text: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_MOST_NAMES", 100)
    with pytest.raises(PictureError, match=said):
        packet(text)


def test_namespaces_are_those_in_force_where_a_property_is_added() -> None:
    inner = (
        '<a:Description xmlns:a="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><x xmlns:dc="other:"/></a:Description>'
    )
    written = packet(RDF.format('xmlns:dc="' + SUBJECT[0] + '"', inner)).edited({SUBJECT: ["a"]})
    assert b"<dc:subject>" in written
    assert b"<a:Bag>" in written


def test_names_that_look_the_same_are_the_same() -> None:
    there = packet(LIGHTROOM.replace("Zürich", "Zu\u0308rich"))
    assert "Zürich" in there.values(SUBJECT)
    assert "Zu\u0308rich".encode() in there.edited({SUBJECT: [*there.values(SUBJECT), "new"]})


@pytest.mark.parametrize("value", ["a\nb", "\x00", "\x85", "\ud800", "", " ", "\ufffe"])
def test_what_xml_does_not_have_is_not_written(value: str) -> None:
    with pytest.raises(InputError, match="expected a name on one line"):
        Packet().edited({SUBJECT: [value]})
    with pytest.raises(InputError, match="expected a name on one line"):
        packet().edited({SUBJECT: [value, "b"]})
