"""examples/load_generator.py, run against the other template."""

from .programs import example, printed, running


def test_load__counts_answers_and_what_went_wrong() -> None:
    with running(example("server.py", 0)) as server:
        url = f"http://127.0.0.1:{server.port}/"
        text = printed(example("load_generator.py", url, "--connections", 4, "--seconds", 0.5))
    first, times, errors = text.splitlines()
    assert int(first.split()[0]) > 0
    assert first.endswith(" a second")
    assert times.startswith("50 %: ")
    assert errors == "errors: none"
    text = printed(example("load_generator.py", url, "--connections", 2, "--seconds", 0.5))  # it is gone now
    assert text.startswith("0 answers, 0 a second\n50 %: 0.0 ms")
    assert "errors: ConnectionRefusedError " in text
