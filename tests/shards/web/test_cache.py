"""The cache against a plain model: right, and never over its bounds."""

from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.http.conditional import Validators
from gossamer.core.io.file import FileStatus
from gossamer.shards.web.answer import FileFacts
from gossamer.shards.web.cache import CachedFile, FileCache

FACTS = FileFacts(0, "text/plain", Validators('"x"', 0), "", "")
STATUS = FileStatus(0, 0, 0, 1, 1, is_file=True, is_directory=False)

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from("abcdef"), st.integers(0, 60)),
        st.tuples(st.just("get"), st.sampled_from("abcdef"), st.just(0)),
        st.tuples(st.just("drop"), st.sampled_from("abcdef"), st.just(0)),
    )
)


@given(STEPS)
def test_any_use__bounded__least_recently_used_first(steps: list[tuple[str, str, int]]) -> None:
    cache = FileCache(bytes_max=100, entries_max=3)
    model: list[tuple[str, int]] = []
    for verb, name, size in steps:
        found = next((item for item in model if item[0] == name), None)
        if verb == "get":
            entry = cache.get(name)
            assert (entry is None) == (found is None)
            model = [item for item in model if item[0] != name] + ([found] if found else [])
        else:
            model = [item for item in model if item[0] != name]
            if verb == "drop":
                cache.drop(name)
            else:
                cache.put(name, CachedFile(FACTS, STATUS, b"x" * size, 0))
                model.append((name, size))
                while len(model) > 3 or sum(weight for _, weight in model) > 100:
                    model.pop(0)
        assert [(key, len(entry.body)) for key, entry in cache.entries.items()] == model
        assert cache.bytes_total == sum(weight for _, weight in model)


def test_put__larger_than_all__not_kept_and_nothing_else_lost() -> None:
    cache = FileCache(bytes_max=100, entries_max=3)
    cache.put("a", CachedFile(FACTS, STATUS, b"x", 0))
    cache.put("b", CachedFile(FACTS, STATUS, b"x" * 101, 0))
    assert list(cache.entries) == ["a"]
