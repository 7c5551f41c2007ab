"""The prediction log: its format, writer, reader, and the ids that outcomes join on (floor 3).

Each worker appends frames to preallocated segments of its own; the yard collects them.
"""

from modelyard.predictions.ids import Ids
from modelyard.predictions.memory import MemorySink
from modelyard.predictions.outcomes import fitting
from modelyard.predictions.reader import (
    LoggedFrame,
    LoggedMinutes,
    LoggedOutcomes,
    Segment,
    load,
    read,
    read_minutes,
    read_outcomes,
    segments,
)
from modelyard.predictions.writer import Writer, open_writer

__all__ = [
    "Ids",
    "LoggedFrame",
    "LoggedMinutes",
    "LoggedOutcomes",
    "MemorySink",
    "Segment",
    "Writer",
    "fitting",
    "load",
    "open_writer",
    "read",
    "read_minutes",
    "read_outcomes",
    "segments",
]
