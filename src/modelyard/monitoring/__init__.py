"""From a window of logged predictions to findings (floor 4)."""

from __future__ import annotations

from modelyard.monitoring.collect import collect
from modelyard.monitoring.compact import Compacted, compact, strays
from modelyard.monitoring.evidence import Evidence, Judge
from modelyard.monitoring.examine import examine
from modelyard.monitoring.given import OUTCOME, given, shape, whose
from modelyard.monitoring.hindsight import Bound, Hindsight, Part, judged, said
from modelyard.monitoring.judges import ALWAYS, JUDGES
from modelyard.monitoring.logged import count_features, count_predictions, of_version
from modelyard.monitoring.minutes import minutes
from modelyard.monitoring.outcomes import told
from modelyard.monitoring.peopled import Peopled, nobody
from modelyard.monitoring.raw import MOST, Raw, columns
from modelyard.monitoring.reading import answered, features, moments, versions, window
from modelyard.monitoring.shift import drifted
from modelyard.monitoring.survey import Survey, survey
from modelyard.monitoring.terms import JUDGED
from modelyard.monitoring.truth import known, labelled, reckon, resolved, typed, with_truth
from modelyard.monitoring.windows import Span, between, by_rows, counted, last, length, newest, period
from modelyard.monitoring.wrong import wrong

__all__ = [
    "ALWAYS",
    "JUDGED",
    "JUDGES",
    "MOST",
    "OUTCOME",
    "Bound",
    "Compacted",
    "Evidence",
    "Hindsight",
    "Judge",
    "Part",
    "Peopled",
    "Raw",
    "Span",
    "Survey",
    "answered",
    "between",
    "by_rows",
    "collect",
    "columns",
    "compact",
    "count_features",
    "count_predictions",
    "counted",
    "drifted",
    "examine",
    "features",
    "given",
    "judged",
    "known",
    "labelled",
    "last",
    "length",
    "minutes",
    "moments",
    "newest",
    "nobody",
    "of_version",
    "period",
    "reckon",
    "resolved",
    "said",
    "shape",
    "strays",
    "survey",
    "told",
    "typed",
    "versions",
    "whose",
    "window",
    "with_truth",
    "wrong",
]
