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
        "data.visits.source": ("postgresql://me:***@host/db", "postgresql://me:***@other/db"),
        "data.visits.target": ("outcome", ["died", "stayed"]),
    }


def test_no_secret_of_a_source_is_told() -> None:
    one = (
        '{ url = "https://me:p@ss/w0rd@host/t.csv?region=eu&sig=s1gned", headers = { Authorization = "Bearer t0ken", '
        'Accept = "text/csv", X-Api-Key = "${KEY}" }, options = { aws_secret_access_key = "k3y", region = "eu" } }'
    )
    told = []
    for source in (one, f"[{one}, 'other.csv']"):
        after = BASE.replace('"postgresql://me:secret@host/db"', source)
        told.append(repr([then for _, then in changes(read(BASE), read(after)).values()]))
    for text in told:
        assert "region=eu&sig=***" in text
        assert "text/csv" in text
        assert "${KEY}" in text
        for secret in ("w0rd", "s1gned", "t0ken", "k3y"):
            assert secret not in text
