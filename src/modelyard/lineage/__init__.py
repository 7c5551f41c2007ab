"""What verbs do, told to others as OpenLineage events (floor 4)."""

from modelyard.lineage.datasets import of_data, of_package, of_service, of_source
from modelyard.lineage.events import Happened, Moment, run_event
from modelyard.lineage.outbox import Outbox

__all__ = ["Happened", "Moment", "Outbox", "of_data", "of_package", "of_service", "of_source", "run_event"]
