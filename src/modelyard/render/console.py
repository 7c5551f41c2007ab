"""What the console draws: windows as a strip of bars, without a style or script of its own."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

from modelyard.records.window import ExaminedWindow

_HIGH, _WIDE, _STEP = 56, 600, 10


def strip(past: Sequence[ExaminedWindow]) -> Markup:
    """Predictions in each window, the newest at the right; those with an alert are marked."""
    shown = sorted(past, key=lambda window: window.end)[-_WIDE // _STEP :]
    most = max((window.rows for window in shown), default=0) or 1
    bars = []
    for at, window in enumerate(shown):
        high = max(2.0, _HIGH * window.rows / most)
        kind = "alert" if window.alerts else "calm" if window.judged else "few"
        told = f"{window.end:%Y-%m-%d %H:%M} UTC: {window.rows:,} predictions, {len(window.alerts)} alerts"
        place = f'x="{at * _STEP}" y="{_HIGH - high + 8:.1f}" width="{_STEP - 2}" height="{high:.1f}" rx="1"'
        bars.append(f'<rect class="{kind}" {place}><title>{escape(told)}</title></rect>')
        if window.alerts:
            bars.append(f'<circle class="alert" cx="{at * _STEP + _STEP / 2 - 1}" cy="3.5" r="3"/>')
    alerted = sum(bool(window.alerts) for window in shown)
    label = f"{len(shown)} windows, {alerted} with alerts"
    return Markup(
        f'<svg class="strip" role="img" aria-label="{escape(label)}" viewBox="0 0 {_WIDE} {_HIGH + 10}" '
        f'preserveAspectRatio="xMinYMid meet">{"".join(bars)}</svg>'
    )
