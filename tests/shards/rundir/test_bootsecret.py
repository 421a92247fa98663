"""One secret a boot, for all processes of a user, and readable by nobody else."""

import os
from pathlib import Path

import pytest

from gossamer.core.seq import seq_lt
from gossamer.core.tcp.isn import SECRET_BYTES, initial_numbers
from gossamer.core.wire.flow import pack_flow
from gossamer.shards.rundir import bootsecret
from gossamer.shards.rundir.bootsecret import boot_secret


def test_boot_secret__asked_again__the_same_and_ours_alone(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    secret = boot_secret(folder)
    assert len(secret) == SECRET_BYTES
    assert boot_secret(folder) == secret
    (path,) = folder.iterdir()
    assert path.stat().st_mode & 0o777 == 0o600


def test_boot_secret__a_process_later__its_numbers_stand_above() -> None:
    flow = pack_flow(("192.0.2.1", 61_000), ("192.0.2.2", 80))
    secret = bytes(SECRET_BYTES)
    first, first_offset = initial_numbers(flow, secret, 1_000_000)
    second, second_offset = initial_numbers(flow, secret, 3_000_000)
    assert seq_lt(first, second)
    assert first_offset == second_offset


def test_boot_secret__next_boot__another_one_and_the_old_file_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = boot_secret(tmp_path)
    later = tmp_path / "boot_id"
    later.write_text("00000000-0000-0000-0000-000000000000\n")
    monkeypatch.setattr(bootsecret, "BOOT_ID", later)
    assert boot_secret(tmp_path) != secret
    assert len(list(tmp_path.glob("secret-*"))) == 1


@pytest.mark.parametrize("mode", [0o644, 0o660])
def test_boot_secret__others_could_read_it__not_used(tmp_path: Path, mode: int) -> None:
    secret = boot_secret(tmp_path)
    (path,) = tmp_path.iterdir()
    path.chmod(mode)
    assert boot_secret(tmp_path) != secret


def test_boot_secret__a_link_in_its_place__not_followed(tmp_path: Path) -> None:
    secret = boot_secret(tmp_path)
    (path,) = tmp_path.iterdir()
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert boot_secret(tmp_path) != secret


def test_boot_secret__nothing_can_be_kept__one_of_this_process_and_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert len(boot_secret(tmp_path / "file" / "below")) == SECRET_BYTES
    assert os.listdir(tmp_path) == ["file"]
    assert "the secret of this boot cannot be kept" in caplog.text


def test_boot_secret__kept__no_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    boot_secret(tmp_path)
    boot_secret(tmp_path)
    assert caplog.text == ""
