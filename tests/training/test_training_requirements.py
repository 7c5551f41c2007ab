from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from modelyard.errors import AuthorError
from modelyard.training import closure


def _write(folder: Path, text: str) -> Path:
    (folder / "requirements.model").write_text(text)
    return folder


def _pin(name: str) -> str:
    return f"{name}=={metadata.version(name)}"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Distributions as an installer leaves them, first on the path."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))

    def install(name: str, version: str, *requires: str, extras: tuple[str, ...] = ()) -> None:
        info = site / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        lines = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}"]
        lines += [f"Requires-Dist: {r}" for r in requires] + [f"Provides-Extra: {e}" for e in extras]
        (info / "METADATA").write_text("\n".join(lines) + "\n")

    return install


def test_the_closure_of_a_real_model(tmp_path: Path) -> None:
    text = f"# needs\n\n{_pin('scikit-learn')}  # the estimator\n{_pin('pandas')} ; python_version >= '3'\n"
    found = closure(_write(tmp_path, text))
    assert list(found) == sorted(found)
    assert {"scikit-learn", "pandas", "numpy", "scipy", "joblib", "threadpoolctl"} <= set(found)
    assert all(metadata.version(name) == version for name, version in found.items())
    assert "pytest" not in found


def test_markers_extras_and_cycles_are_followed(tmp_path: Path, installed) -> None:  # type: ignore[no-untyped-def]
    installed("A.pple", "1.0", "b_ee[wings]>=1", "never; python_version < '3'", "extra-only; extra == 'x'")
    installed("b-ee", "1.5", "c; extra == 'wings'", "d; extra == 'legs'", extras=("wings", "legs"))
    installed("c", "3", "a-pple")
    assert closure(_write(tmp_path, "a_pple==1.0\n")) == {"a-pple": "1.0", "b-ee": "1.5", "c": "3"}


def test_an_empty_list_has_an_empty_closure(tmp_path: Path) -> None:
    assert closure(_write(tmp_path, "# nothing\n\ncolorama==9 ; sys_platform == 'nowhere'\n")) == {}


def test_what_is_missing_or_of_another_version_is_named_with_the_line_to_run(
    tmp_path: Path,
    installed,  # type: ignore[no-untyped-def]
) -> None:
    installed("apple", "1.0")
    with pytest.raises(AuthorError) as caught:
        closure(_write(tmp_path, "apple==1.1\nno-such-thing==2\n"))
    path = tmp_path / "requirements.model"
    assert "apple is 1.0 instead of 1.1, no-such-thing is not installed" in str(caught.value)
    assert f"run 'pip install -r {path}'" in str(caught.value)


def test_a_missing_part_of_a_requirement_is_named(tmp_path: Path, installed) -> None:  # type: ignore[no-untyped-def]
    installed("apple", "1.0", "no-such-thing>=2")
    with pytest.raises(AuthorError, match="no-such-thing, which apple needs, is not installed; run 'pip"):
        closure(_write(tmp_path, "apple==1.0\n"))


def test_a_local_or_a_pre_release_version_may_be_pinned(tmp_path: Path, installed) -> None:  # type: ignore[no-untyped-def]
    installed("apple", "1.0rc1")
    installed("torch-like", "2.0+cpu")
    assert closure(_write(tmp_path, "apple==1.0rc1\ntorch-like==2.0\n")) == {
        "apple": "1.0rc1",
        "torch-like": "2.0+cpu",
    }


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("pandas", "'pandas' is not pinned; write 'pandas=="),
        ("pandas>=2", "'pandas>=2' is not pinned; write 'pandas=="),
        ("pandas==2.*", "is not pinned"),
        ("pandas==2.0,>1", "is not pinned"),
        ("no-such-thing", "write 'no-such-thing==VERSION'"),
        ("-r other.txt", "'-r other.txt' is not of the form 'name==version'"),
        ("./wheel.whl", "not of the form"),
        ("pandas 2.0", "not of the form"),
    ],
)
def test_a_line_that_pins_nothing_is_refused(tmp_path: Path, line: str, says: str) -> None:
    with pytest.raises(AuthorError) as caught:
        closure(_write(tmp_path, f"# first\n{line}\n"))
    assert "requirements.model, line 2: " in str(caught.value)
    assert says in str(caught.value)


def test_a_missing_or_unreadable_list_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(AuthorError, match=r"There is no .*each line 'name==version'"):
        closure(tmp_path)
    (tmp_path / "requirements.model").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(AuthorError, match="cannot be read"):
        closure(tmp_path)
