from __future__ import annotations

import pickle
import sys
from pathlib import Path

import pytest

from modelyard.errors import AuthorError
from modelyard.training.model_code import load

TRAIN = "def train(data, params):\n    return 1\n"


def test_what_model_py_defines(folder) -> None:  # type: ignore[no-untyped-def]
    code = load(
        folder(
            model="""
            import modelyard as my
            SPACE = {"C": my.uniform(0, 1, default=0.5)}
            def train(data, params): return "model"
            def predict(model, rows): return model, rows
            """
        )
    )
    assert code.train(None, None) == "model"  # type: ignore[arg-type]
    assert code.predict is not None
    assert code.predict("m", "r") == ("m", "r")
    assert (code.save, code.load) == (None, None)
    assert code.space["C"].default == 0.5


def test_helper_files_are_found_and_leave_no_trace(folder) -> None:  # type: ignore[no-untyped-def]
    place = folder(
        model="""
        import helper
        def train(data, params):
            import late
            return helper.NAME + late.NAME
        def predict(model, rows):
            import late
            return late.NAME
        """,
        helper="NAME = 'help'",
        late="NAME = 'late'",
    )
    before, modules = list(sys.path), set(sys.modules)
    code = load(place)
    with code.importable():
        assert code.train(None, None) == "helplate"  # type: ignore[arg-type]
    assert code.predict is not None
    assert code.predict(None, None) == "late"
    assert sys.path == before
    assert not {"model", "helper", "late"} & (set(sys.modules) - modules)
    assert not list(place.rglob("*.pyc"))


def test_two_models_may_have_helpers_of_one_name(folder) -> None:  # type: ignore[no-untyped-def]
    source = "import helper\ndef train(data, params):\n    import helper as h\n    return helper.N, h.N\n"
    one = load(folder("one", model=source, helper="N = 1"))
    two = load(folder("two", model=source, helper="N = 2"))
    for code, number in ((one, 1), (two, 2), (one, 1)):
        with code.importable():
            assert code.train(None, None) == (number, number)  # type: ignore[arg-type]


def test_a_second_load_sees_an_edit_of_the_same_length_at_once(folder) -> None:  # type: ignore[no-untyped-def]
    source = "import helper\ndef train(data, params):\n    return helper.N, 1\n"
    for number in (1, 2, 3):
        code = load(folder(model=source.replace(", 1", f", {number}"), helper=f"N = {number}"))
        assert code.train(None, None) == (number, number)  # type: ignore[arg-type]


def test_objects_of_its_classes_can_be_pickled_inside(folder) -> None:  # type: ignore[no-untyped-def]
    code = load(
        folder(
            model="""
            from dataclasses import dataclass
            from helper import Other
            @dataclass
            class Mine:
                x: int
            def train(data, params): return Mine(3), Other
            """,
            helper="class Other: pass",
        )
    )
    with code.importable():
        mine, other = pickle.loads(pickle.dumps(code.train(None, None)))  # type: ignore[arg-type, misc]
    assert mine.x == 3
    assert other.__module__ == "helper"


def test_an_installed_module_of_the_same_name_is_put_back(folder, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    import colorsys

    other = type(sys)("helper")
    monkeypatch.setitem(sys.modules, "helper", other)
    code = load(folder(model="import helper\n" + TRAIN, helper="", colorsys="raise ValueError"))
    assert sys.modules["helper"] is other
    with code.importable():
        assert sys.modules["helper"] is not other
    assert sys.modules["colorsys"] is colorsys


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("x = 1\ny = (\n", r"m/model.py, line 2 \('y = \('\): SyntaxError: .*never closed"),
        ("def train(data, params):\nreturn 1\n", r"model.py, line 2 \('return 1'\): IndentationError"),
        (
            "import no_such_module\n" + TRAIN,
            r"line 1 .*ModuleNotFoundError: No module named 'no_such_module'",
        ),
        ("x = 1\nx / 0\n" + TRAIN, r"model.py, line 2 \('x / 0'\): ZeroDivisionError: division by zero"),
        ("import sys\nsys.exit(3)\n", r"line 2 \('sys.exit\(3\)'\): SystemExit: .* with 3"),
        (
            "import modelyard as my\nSPACE = {'C': my.uniform(2, 1, default=1)}\n" + TRAIN,
            "line 2 .*low bound",
        ),
        ("import modelyard as my\nmy.nonsense\n" + TRAIN, "line 2 .*no attribute 'nonsense'"),
        ("x = 1\n", r"model.py defines no function 'train'"),
        ("train = 3\n", r"model.py defines no function 'train'"),
        ("def train(data): return 1\n", r"two arguments, .* but is 'train\(data\)'"),
        ("SPACE = [1]\n" + TRAIN, "SPACE in .* is a list"),
        ("SPACE = {'C': 3}\n" + TRAIN, r"SPACE\['C'\] in .* is 3; write my.uniform"),
        ("predict = 3\n" + TRAIN, "'predict' in .* is no function"),
        ("def save(model, folder): pass\n" + TRAIN, "defines 'save' without 'load'"),
        ("def load(folder): pass\n" + TRAIN, "defines 'load' without 'save'"),
        ("print('\0')", "model.py: SyntaxError: .*null byte|ValueError.*null byte|null byte"),
    ],
)
def test_code_that_does_not_do_is_blamed_in_one_sentence(folder, source: str, says: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(AuthorError, match=says) as caught:
        load(folder(model=source))
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


def test_an_error_in_a_helper_names_the_helper(folder) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(AuthorError, match=r"helper.py, line 2 \('1 / 0'\): ZeroDivisionError"):
        load(folder(model="import helper\n" + TRAIN, helper="x = 1\n1 / 0\n"))
    with pytest.raises(AuthorError, match=r"helper.py, line 1 .*SyntaxError"):
        load(folder(model="import helper\n" + TRAIN, helper="def\n"))


def test_after_an_error_nothing_is_left_behind(folder) -> None:  # type: ignore[no-untyped-def]
    before = list(sys.path)
    place = folder(model="import helper\nhelper.nothing\n" + TRAIN, helper="")
    with pytest.raises(AuthorError, match="nothing"):
        load(place)
    assert sys.path == before
    assert "helper" not in sys.modules
    assert load(folder(model="import helper\n" + TRAIN)).train(None, None) == 1  # type: ignore[arg-type]


def test_a_folder_without_model_py(tmp_path: Path) -> None:
    with pytest.raises(AuthorError, match=r"There is no .*model.py; a model's folder needs one"):
        load(tmp_path)
    with pytest.raises(AuthorError, match=r"There is no .*model.py"):
        load(tmp_path / "gone")


def test_an_interrupt_passes(folder) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(KeyboardInterrupt):
        load(folder(model="raise KeyboardInterrupt\n"))
    assert "model" not in sys.modules
