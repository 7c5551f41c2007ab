"""Findings as Prometheus reads them."""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess

import pytest
from prometheus_client.parser import text_string_to_metric_families

from modelyard.records.finding import Finding, WindowReport
from modelyard.render.exposition import exposition

NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
STRANGE = 'a "b" \\ \n größe {}'


def report(hour: int, value: float, *, version: int = 7) -> WindowReport:
    finding = Finding(
        kind="drift",
        column=STRANGE,
        statistic="psi",
        value=value,
        p_value=1e-300,
        p_corrected=1e-299,
        effect=0.5,
        effect_name="psi",
        reference_rows=10,
        window_rows=20,
        alert=True,
        sentence="",
    )
    start = NOON + dt.timedelta(hours=hour)
    return WindowReport(
        environment="prod",
        model="screening",
        version=version,
        start=start,
        end=start + dt.timedelta(hours=1),
        rows=20,
        alpha=0.05,
        correction="holm",
        findings=(finding,),
    )


def test_the_newest_window_of_each_version_is_told() -> None:
    text = exposition([report(1, 2.0), report(0, 1.0), report(0, 3.0, version=6)], "clinic")
    samples = {
        s.name: s
        for family in text_string_to_metric_families(text)
        for s in family.samples
        if s.labels["version"] == "7"
    }
    assert samples["modelyard_finding_value"].value == 2.0
    assert samples["modelyard_finding_value"].labels["column"] == STRANGE
    assert samples["modelyard_finding_value"].labels["project"] == "clinic"
    assert samples["modelyard_finding_alert"].value == 1
    assert samples["modelyard_finding_p_value"].value == 1e-299
    assert samples["modelyard_window_predictions"].value == 20
    assert (
        samples["modelyard_window_end_timestamp_seconds"].value == (NOON + dt.timedelta(hours=2)).timestamp()
    )
    assert text.count("modelyard_finding_value{") == 2


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool: apt-get install prometheus")
def test_prometheus_reads_it() -> None:
    for text in (exposition([report(0, 1.0), report(0, 2.0, version=6)], "clinic"), exposition([], "clinic")):
        done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
