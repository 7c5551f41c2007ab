"""The sha256 of libraries, from whatever lock a project has; no index is asked but one that is not there."""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from pathlib import Path

import pytest

from modelyard.errors import AuthorError
from modelyard.training.environment import extended, made, versions
from modelyard.training.hashes import hashed
from modelyard.training.lockfile import read, told, written

A, B, C = "a" * 64, "b" * 64, "c" * 64
NEEDED = ("numpy==2.4.1", "typing-extensions==4.15.0")
FORMS = {
    "requirements.lock": f"--index-url https://nobody\nNumPy==2.4.1 \\\n  --hash=sha256:{B} \\\n    --hash=sha256:{A}\n"
    f"typing_extensions[x]==4.15.0 ; python_version > '3' --hash=sha256:{C}  # via numpy\n",
    "requirements.txt": f"numpy==2.4.1 --hash=sha256:{A} --hash=sha256:{B}\r\ntyping.extensions==4.15.0 \\\r\n  --hash=sha256:{C}\r\n",
    "uv.lock": f"""version = 1
[[package]]
name = "numpy"
version = "2.4.1"
source = {{ registry = "https://nobody/simple" }}
sdist = {{ url = "https://nobody/n.tar.gz", hash = "sha256:{A}", size = 3 }}
wheels = [{{ url = "https://nobody/n.whl", hash = "sha256:{B}" }}]
[[package]]
name = "typing-extensions"
version = "4.15.0"
wheels = [{{ url = "https://nobody/t.whl", hash = "sha256:{C}" }}]
[[package]]
name = "mine"
version = "1"
source = {{ editable = "." }}
""",
    "pylock.toml": f"""lock-version = "1.0"
[[packages]]
name = "numpy"
version = "2.4.1"
sdist = {{ name = "n.tar.gz", hashes = {{ sha256 = "{A}", md5 = "0" }} }}
[[packages.wheels]]
name = "n.whl"
hashes = {{ sha256 = "{B}" }}
[[packages]]
name = "typing-extensions"
version = "4.15.0"
wheels = [{{ name = "t.whl", hashes = {{ sha256 = "{C}" }} }}]
""",
    "poetry.lock": f"""[[package]]
name = "numpy"
version = "2.4.1"
files = [{{ file = "n.tar.gz", hash = "sha256:{A}" }}, {{ file = "n.whl", hash = "sha256:{B}" }}]
[[package]]
name = "typing-extensions"
version = "4.15.0"
files = [{{ file = "t.whl", hash = "sha256:{C}" }}]
""",
}
WHOLE = {"numpy==2.4.1": (A, B), "typing-extensions==4.15.0": (C,)}


@pytest.mark.parametrize("name", FORMS)
def test_each_form_of_a_lock_tells_the_same(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(FORMS[name].encode())
    found = hashed(NEEDED, given="", root=tmp_path, home=tmp_path / "envs", index=False)
    assert found.hashes == WHOLE
    lock = found.lock()
    assert lock is not None
    assert "://" not in lock  # a lock may name an index, which is nobody else's business
    assert told(lock) == WHOLE
    assert versions(lock) == {"numpy": "2.4.1", "typing-extensions": "4.15.0"}
    assert not (tmp_path / "envs").exists()  # nothing was asked


def test_the_models_own_lock_goes_before_the_projects(tmp_path: Path) -> None:
    (tmp_path / "uv.lock").write_text(FORMS["uv.lock"])
    own = f"numpy==2.4.1 --hash=sha256:{C}\n"
    found = hashed(NEEDED, given=own, root=tmp_path, home=tmp_path, index=False)
    assert found.hashes == WHOLE | {"numpy==2.4.1": (C,)}


@pytest.mark.parametrize(
    "line",
    [
        "numpy==2.4.0 --hash=sha256:" + A,
        "numpy>=2.4.1 --hash=sha256:" + A,
        "numpy==2.4.1",
        "numpy==2.4.1 # --hash=sha256:" + A,
        "numpy==2.4.1 --hash=md5:" + A[:32],
        "numpy==2.4.1 --hash=sha256:" + A[:63],
        "numpy==2.4.1 --hash=sha256:" + A + "a",
        "numpy==2.4.1 --hash=sha256:" + A.upper(),
        "",
    ],
)
def test_what_is_not_of_that_version_or_no_sha256_counts_for_nothing(tmp_path: Path, line: str) -> None:
    (tmp_path / "requirements.lock").write_text(line)
    found = hashed(NEEDED[:1], given="", root=tmp_path, home=tmp_path, index=False)
    assert found.hashes == {}
    assert found.lock() is None
    assert found.reason == "no lock of the project has hashes of numpy==2.4.1"


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("uv.lock", b"<<<<<<< HEAD\n", "uv.lock cannot be read: "),
        ("poetry.lock", b"\xff\xfe\x00", "poetry.lock cannot be read: "),
        ("requirements.txt", b"\x80numpy==2.4.1", "requirements.txt cannot be read: "),
        ("pylock.toml", b"a=" + b"[" * 100_000, "pylock.toml cannot be read: "),
        ("pylock.toml", b"packages = 3\n", ""),
        ("pdm.lock", b'package = [1, {name = 1}, {name = "numpy"}, {name = "numpy", version = ""}]\n', ""),
        ("uv.lock", b" " * ((32 << 20) + 1), "it has more than 32 MiB"),
    ],
)
def test_a_damaged_lock_stops_nothing_and_is_named(
    tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    (tmp_path / name).write_bytes(content)
    found = hashed(NEEDED, given="", root=tmp_path, home=tmp_path, index=False)
    assert found.lock() is None
    assert says in found.reason
    if says:
        with pytest.raises(AuthorError, match="cannot be read"):
            read(tmp_path / name)


def test_an_index_that_is_not_there_is_told_of_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_INDEX", "UV_FIND_LINKS", "UV_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_NO_CACHE", "1")
    (tmp_path / "requirements.lock").write_text(f"numpy==2.4.1 --hash=sha256:{A}")
    found = hashed(NEEDED, given="", root=tmp_path, home=tmp_path / "envs", index=True)
    assert found.hashes == {"numpy==2.4.1": (A,)}  # what is known is kept
    assert found.lock() is None
    assert "hashes of typing-extensions==4.15.0, and the package index tells none: " in found.reason
    assert "127.0.0.1" not in found.reason
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    found = hashed(NEEDED, given="", root=tmp_path, home=tmp_path / "others", index=True)
    assert "made by uv, which is not here" in found.reason


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An index of two small distributions, and one that it has no hash of."""
    folder = tmp_path / "shelf"
    for name in ("alpha", "beta", "gamma"):
        (folder / name).mkdir(parents=True)
        path = folder / name / f"{name}-1.0-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as wheel:
            info = f"{name}-1.0.dist-info"
            wheel.writestr(f"{name}.py", "x = 1\n")
            wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
            wheel.writestr(
                f"{info}/WHEEL",
                "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            )
            wheel.writestr(
                f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n"
            )
        known = "" if name == "gamma" else f"#sha256={hashlib.sha256(path.read_bytes()).hexdigest()}"
        (folder / name / "index.html").write_text(f'<a href="{path.name}{known}">{path.name}</a>')
    for variable in ("UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_INDEX", "UV_FIND_LINKS", "UV_OFFLINE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("UV_DEFAULT_INDEX", folder.as_uri())
    monkeypatch.setenv("UV_NO_CACHE", "1")
    return folder


def test_what_no_lock_tells_the_index_is_asked_for_once(shelf: Path, tmp_path: Path) -> None:
    home = tmp_path / "envs"
    found = hashed(("alpha==1.0", "beta==1.0"), given="", root=tmp_path, home=home, index=True)
    assert found.reason == ""
    assert {len(digests) for digests in found.hashes.values()} == {1}
    shutil.rmtree(shelf)
    again = hashed(("beta==1.0", "alpha==1.0"), given="", root=tmp_path, home=home, index=True)
    assert again == found


@pytest.mark.usefixtures("shelf")
def test_one_file_without_a_hash_leaves_the_package_without_a_lock(tmp_path: Path) -> None:
    found = hashed(("alpha==1.0", "gamma==1.0"), given="", root=tmp_path, home=tmp_path, index=True)
    assert found.hashes.keys() == {"alpha==1.0"}
    assert (found.lock(), found.reason) == (None, "no lock of the project has hashes of gamma==1.0")


@pytest.mark.usefixtures("shelf")
def test_a_lock_is_held_to_when_an_environment_grows_out_of_it(tmp_path: Path) -> None:
    home = tmp_path / "envs"
    right = hashed(("alpha==1.0",), given="", root=tmp_path, home=home, index=True).hashes
    whole = extended(written(right), ("beta==1.0",), home)
    assert told(whole).keys() == {"alpha==1.0", "beta==1.0"}
    assert made(whole, home).exists()
    other = extended(written({"alpha==1.0": (C,)}), ("beta==1.0",), home)
    assert told(other)["alpha==1.0"] == (C,)
    with pytest.raises(AuthorError, match="cannot be made"):
        made(other, home)
    assert versions(extended(written(right), ("gamma==1.0",), home)) == {"alpha": "1.0", "gamma": "1.0"}
