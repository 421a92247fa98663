"""The examples of docs/web.md are configurations that the server takes."""

import re
import tomllib
from pathlib import Path

from gossamer.shards.configuration.settings import combine, settings_of_document

PAGE = (Path(__file__).parents[2] / "docs" / "web.md").read_text()
EXAMPLE = re.compile(r"(?:^    .*\n|^\n(?=    ))+", re.MULTILINE)


def test_examples__each_is_a_configuration() -> None:
    texts = [re.sub("^    ", "", block, flags=re.MULTILINE) for block in EXAMPLE.findall(PAGE)]
    examples = [text[text.index("[") :] for text in texts if re.search(r"^\[", text, re.MULTILINE)]
    assert len(examples) >= 8
    for example in examples:
        combine(settings_of_document(tomllib.loads(example), "docs/web.md"))
