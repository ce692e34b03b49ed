from numpyclip.families.names import translator

NAMES = (("there.*.norm", "here.*.ln"), ("there.norm", "ln"))


def test_names_are_translated_by_their_longest_beginning() -> None:
    translate = translator(NAMES)
    assert translate("there.3.norm.weight") == "here.3.ln.weight"
    assert translate("there.norm.bias") == "ln.bias"
    assert translate("elsewhere.norm") == "elsewhere.norm"


def test_a_name_that_is_a_pattern_itself_stays_as_it_is() -> None:
    assert translator(NAMES)("there.*.norm.weight") == "there.*.norm.weight"
