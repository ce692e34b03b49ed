import pytest

from numpyclip.images.camera import camera_name, lens_name


@pytest.mark.parametrize(
    ("make", "model", "name"),
    [
        ("NIKON CORPORATION", "NIKON D750", "Nikon D750"),
        ("NIKON", "COOLPIX P1", "Nikon COOLPIX P1"),
        ("Canon", "Canon EOS 40D", "Canon EOS 40D"),
        ("Canon", "canonball", "Canon canonball"),
        ("SONY\0", "DSC-D700\0", "Sony DSC-D700"),
        ("CASIO COMPUTER CO.,LTD ", "EX-Z3  ", "Casio EX-Z3"),
        ("EASTMAN KODAK COMPANY", "KODAK CX7530 ZOOM DIGITAL CAMERA", "Kodak CX7530 ZOOM DIGITAL CAMERA"),
        ("JK Imaging, Ltd.", "KODAK PIXPRO FZ53", "Kodak PIXPRO FZ53"),
        ("FLIR Systems AB", "FLIR_i7", "FLIR_i7"),
        ("FUJIFILM", "FinePix E500   ", "Fujifilm FinePix E500"),
        ("FUJI PHOTO FILM CO., LTD.", "SP-3000", "Fujifilm SP-3000"),
        ("General Imaging Co.", "E1035", "GE E1035"),
        ("GoPro" + 24 * "\0", "HERO6 Black" + 18 * "\0", "GoPro HERO6 Black"),
        ("HMD Global", "Nokia 8.3 5G", "Nokia 8.3 5G"),
        ("KONICA MINOLTA ", "DiMAGE Z3", "Konica Minolta DiMAGE Z3"),
        ("Minolta Co., Ltd.", "DiMAGE 7i", "Minolta DiMAGE 7i"),
        ("OLYMPUS IMAGING CORP.  ", "u1020,S1020     ", "Olympus u1020,S1020"),
        ("OLYMPUS OPTICAL CO.,LTD", "C2000Z", "Olympus C2000Z"),
        ("OM Digital Solutions", "OM-1", "OM System OM-1"),
        ("RICOH IMAGING COMPANY, LTD.", "PENTAX K-3", "Pentax K-3"),
        ("RICOH IMAGING COMPANY, LTD.", "RICOH GR III", "Ricoh GR III"),
        ("PENTAX Corporation ", "PENTAX K10D        ", "Pentax K10D"),
        ("SANYO Electric Co.,Ltd.", "SR6 ", "Sanyo SR6"),
        ("Samsung Techwin", "<Digimax i50 MP3>", "Samsung <Digimax i50 MP3>"),
        ("samsung", "SM-G991B", "Samsung SM-G991B"),
        ("LEICA CAMERA AG", "LEICA Q2", "Leica Q2"),
        ("LGE", "LG-H870", "LG-H870"),
        ("HTC", "HTC One", "HTC One"),
        ("DJI", "FC3170", "DJI FC3170"),
        ("OnePlus", "ONEPLUS A6003", "OnePlus A6003"),
        ("motorola", "moto g(7)", "Motorola moto g(7)"),
        ("Hewlett-Packard", "HP PhotoSmart C850", "HP PhotoSmart C850"),
        ("Sony Mobile Communications Inc.", "E5823", "Sony E5823"),
        ("Apple", "iPhone 13", "Apple iPhone 13"),
        ("WWL     ", "ION230\0F", "WWL ION230"),
        (b"NIKON\0", b"E950\xff\0", "Nikon E950"),
        ("Nikon", None, "Nikon"),
        (None, "X\n\x1b[31m1", "X [31m1"),
        ("---", "\x00\x00", None),
        ("Unknown", "Digital Still Camera", None),
        (1, (2,), None),
        ("," * 5, "\ud800 a", "a"),
    ],
)
def test_makers_and_models_are_joined_without_repetition(make: object, model: object, name: str | None) -> None:
    assert camera_name(make, model) == name


def test_a_name_has_a_length() -> None:
    assert len(str(camera_name("a" * 10_000, "b" * 10_000))) <= 100
    assert len(str(camera_name("a" * 10_000, None))) <= 100


@pytest.mark.parametrize(
    ("make", "model", "specification", "camera", "name"),
    [
        ("NIKON", "NIKKOR Z 24-70mm f/4 S", None, "NIKON CORPORATION", "NIKKOR Z 24-70mm f/4 S"),
        ("SIGMA", "35mm F1.4 DG HSM | Art 012", None, "Canon", "Sigma 35mm F1.4 DG HSM | Art 012"),
        ("SIGMA", "Sigma 35mm", None, "Canon", "Sigma 35mm"),
        (None, "EF24-70mm f/2.8L II USM", None, "Canon", "EF24-70mm f/2.8L II USM"),
        ("Apple", "iPhone 7 back camera 3.99mm f/1.8", None, "Apple", "iPhone 7 back camera 3.99mm f/1.8"),
        (None, None, (18, 55, 3.5, 5.6), "X", "18-55mm f/3.5-5.6"),
        (None, "----", (50, 50, 1.4, 1.4), "SONY", "50mm f/1.4"),
        (None, "DT 0mm F0 SAM", None, "SONY", None),
        (None, "0.0 mm f/0.0", (0, 0, 0, 0), "X", None),
        (None, None, (18, 55, float("nan"), 0), "X", "18-55mm"),
        (None, None, "1234567", "X", None),
        (None, None, (1, 2), "X", None),
        (None, None, (10**400, 1, 1, 1), "X", None),
    ],
)
def test_a_lens_is_named_by_its_model(
    make: object, model: object, specification: object, camera: object, name: str | None
) -> None:
    assert lens_name(make, model, specification, camera) == name
