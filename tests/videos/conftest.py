import pytest

pytest.importorskip("av", reason="the extra numpyclip[video] is not installed")
