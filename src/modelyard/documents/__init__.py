"""Documents about a model or a dataset, prefilled from records, with what nobody can know but people asked (floor 4).

A document is a Jinja2 template of Markdown, run in a sandbox: the ones that come with Modelyard and a project's own alike.
What is known is in the template's names, what is not is asked by ``ask("purpose")``: an answer that stands in the
project's file for one document stands in each that asks the same.
"""

from modelyard.documents.facts import DataFacts, ModelFacts
from modelyard.documents.fill import Document, Open, fill
from modelyard.documents.forms import FORMS, form
from modelyard.documents.questions import DATA, MODEL

__all__ = ["DATA", "FORMS", "MODEL", "DataFacts", "Document", "ModelFacts", "Open", "fill", "form"]
