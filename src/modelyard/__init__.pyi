# What ``__init__.py`` gives, most of it at its first use, as type checkers and editors read it.

from modelyard.authoring import Params as Params
from modelyard.authoring import TrainingData as TrainingData
from modelyard.authoring import choice as choice
from modelyard.authoring import integer as integer
from modelyard.authoring import log_artifact as log_artifact
from modelyard.authoring import log_chart as log_chart
from modelyard.authoring import log_metric as log_metric
from modelyard.authoring import log_param as log_param
from modelyard.authoring import log_uniform as log_uniform
from modelyard.authoring import uniform as uniform
from modelyard.authoring import used as used
from modelyard.notebook import data as data
from modelyard.notebook import load as load
from modelyard.notebook import runs as runs
from modelyard.notebook import versions as versions

__version__: str
__all__: list[str]
