"""Which settings take another effect."""

from __future__ import annotations

from pathlib import Path

from modelyard.settings import Settings, changes, parse

BASE = """
[project]
name = "clinic"
[data.visits]
source = "postgresql://me:secret@host/db"
target = "outcome"
[models.stay]
code = "models/stay"
data = "visits"
tune = { trials = 10 }
"""


def read(text: str) -> Settings:
    return parse(text, Path("modelyard.toml"), {})


def test_what_is_the_default_anyway_is_no_change() -> None:
    assert changes(read(BASE), read(BASE)) == {}
    again = BASE.replace("trials = 10", 'trials = 10, sampler = "random"').replace(
        'target = "outcome"', 'target = "outcome"\nsplit = { test = 0.2 }'
    )
    default = read(BASE).models["stay"].tune
    assert default is not None
    if default.sampler == "random":
        assert changes(read(BASE), read(again)) == {}


def test_values_keep_their_types_and_a_new_table_tells_what_it_sets() -> None:
    after = BASE.replace("trials = 10", "trials = 25").replace("[models.stay]", "[models.stay]\nseed = 3") + (
        "[models.stay.gates]\nroc_auc = { min = 0.9 }\n[environments.test]\nport = 8101\nreviews = ['ethics']\n"
    )
    assert changes(read(BASE), read(after)) == {
        "models.stay.seed": (0, 3),
        "models.stay.tune.trials": (10, 25),
        "models.stay.gates.roc_auc.min": (None, 0.9),
        "environments.test.port": (None, 8101),
        "environments.test.reviews": (None, ["ethics"]),
    }
    gone = changes(read(after), read(BASE))
    assert gone["models.stay.seed"] == (3, 0)
    assert gone["environments.test.port"] == (8101, None)


def test_several_targets_are_a_list_and_logins_are_not_told() -> None:
    after = BASE.replace('"outcome"', '["died", "stayed"]').replace("secret@host", "secret@other")
    assert changes(read(BASE), read(after)) == {
        "data.visits.source": ("postgresql://***@host/db", "postgresql://***@other/db"),
        "data.visits.target": ("outcome", ["died", "stayed"]),
    }
