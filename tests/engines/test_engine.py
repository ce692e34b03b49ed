import signal
from types import ModuleType

import pytest

from numpyclip.engines.engine import Engine
from numpyclip.engines.selection import ENGINES


@pytest.mark.parametrize("kind", ENGINES.values(), ids=list(ENGINES))
def test_a_library_whose_import_is_interrupted_is_not_damaged(
    kind: type[Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(name: str) -> ModuleType:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:  # as compiled modules report it
            raise ImportError("initialization failed") from None
        return ModuleType(name)

    monkeypatch.setattr("numpyclip.engines.engine.import_module", interrupted)
    with pytest.raises(KeyboardInterrupt):
        kind.library()
