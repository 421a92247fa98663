"""Code in scripts: what is understood of it, what is refused, and that nothing of it is ever run."""

import pytest

from gossamer.core.packetdrill.assertions import Assertions
from gossamer.core.packetdrill.errors import Mismatch, Unsupported

INFO: dict[str, int | str] = {"tcpi_snd_cwnd": 10, "tcpi_rto": 300_000, "tcpi_options": 6}


@pytest.mark.parametrize(
    "code",
    [
        "assert tcpi_snd_cwnd == 10, tcpi_snd_cwnd",
        "assert tcpi_options & TCPI_OPT_SACK != 0",
        "assert 250000 <= tcpi_rto <= 350000",
        "assert tcpi_rto / 1000 == 300 and not tcpi_snd_cwnd > 10",
        "assert abs(tcpi_snd_cwnd - 12) in (1, 2)",
        "a = tcpi_snd_cwnd; a += 1\nassert a == 11",
        "assert '%d' % tcpi_snd_cwnd == '10'",
        "assert ('a' if tcpi_snd_cwnd else 'b') == 'a'",
        "if tcpi_snd_cwnd > 5:\n  assert True\nelse:\n  assert False",
        "\nassert tcpi_snd_cwnd == 10; \\\n  assert True; \\\n",
        "assert max([1, 2][1], 0) == 2",
        "assert f'{tcpi_snd_cwnd}' == '10'",
    ],
)
def test_code__that_holds__passes(code: str) -> None:
    Assertions().run(code, INFO)


def test_assertion__that_does_not_hold__says_what_was_got() -> None:
    with pytest.raises(Mismatch, match=r"expected tcpi_snd_cwnd == 11, got tcpi_snd_cwnd = 10 \(why\)"):
        Assertions().run("assert tcpi_snd_cwnd == 11, 'why'", INFO)


def test_names__go_on_from_one_piece_of_code_to_the_next() -> None:
    assertions = Assertions()
    assertions.run("before = tcpi_rto", INFO)
    assertions.run("assert tcpi_rto == 2 * before", {"tcpi_rto": 600_000})


def test_print__of_either_python__is_kept() -> None:
    assertions = Assertions()
    assertions.run("print tcpi_rto\nprint(tcpi_snd_cwnd, 'x')\nprint", INFO)
    assert assertions.printed == ["300000", "10 x", ""]


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("import os", "import in code"),
        ("while True: pass", "while in code"),
        ("open('x')", "function open in code"),
        ("().__class__", "attribute in code"),
        ("assert tcpi_unheard_of == 1", "tcpi_unheard_of in code"),
        ("a = 2 ** 99999999", "pow in code"),
        ("a = 1 << 99999999", "a number or text of that size in code"),
        ("a = 'x' * 99999999", "a number or text of that size in code"),
        ("a = [x for x in (1, 2)]", "listcomp in code"),
        ("f = lambda: 0", "lambda in code"),
    ],
)
def test_code__beyond_what_is_understood__is_named(code: str, name: str) -> None:
    with pytest.raises(Unsupported) as caught:
        Assertions().run(code, INFO)
    assert caught.value.name == name


@pytest.mark.parametrize(
    "code",
    [
        "assert (",
        pytest.param("a = " + "-" * 8000 + "1", id="deep"),
        pytest.param("a = " + "(" * 5000 + ")" * 5000, id="deeper"),
        "a = 1 / 0",
        "a = [1][5]",
        "a = 'x' - 1",
    ],
)
def test_code__that_fails__is_a_mismatch(code: str) -> None:
    with pytest.raises(Mismatch, match=r"^code: "):
        Assertions().run(code, INFO)
