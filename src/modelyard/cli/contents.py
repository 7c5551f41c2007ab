"""The table of contents: every command with its line of help. Nothing is imported to show it."""

COMMANDS = {
    "init": "A new project that builds and passes its tests at once.",
    "upgrade": "The files that init wrote, in their current form.",
    "ingest": "Sources to a new dataset version.",
    "train": "One run: a model trained and sealed as a candidate.",
    "check": "The model's own tests and its application tests; nothing is registered.",
    "evaluate": "The report on the held-back test split; exit 1 if a gate fails.",
    "package": "Verify the sealed package, and hand it out as a folder or one file.",
    "import": "Take a package from elsewhere, or make one of a model of others.",
    "scan": "Secrets, weak code, vulnerable dependencies, licences, pickles, containers.",
    "register": "Give a tested package its version.",
    "build": "Ingest, train, evaluate, package, register; what is done is not done again.",
    "deploy": "Application tests on the candidate, then switch traffic.",
    "promote": "Admit a version to the next environment, gates and reviews included.",
    "review": "A person's yes or no, as an environment asks for.",
    "rollback": "The previous release, in seconds.",
    "deprecate": "Say that a version is to be used no more, and which instead.",
    "serve": "A service in the foreground.",
    "stop": "End an environment's service on this machine, on record.",
    "predict": "Some rows now, without a service.",
    "score": "A whole table in batch, from and to any source.",
    "loadtest": "A service under load: latencies, promises, replicas.",
    "capacity": "What a load takes: replicas, cores, memory, log, money.",
    "feedback": "The true outcomes of predictions, from a file.",
    "monitor": "Drift and data quality of a window; exit 1 on alert with --fail.",
    "trigger": "Build again where data, code, drift or a schedule call for it, by a policy.",
    "status": "What is live where.",
    "logs": "What an environment's service printed last.",
    "data": "Dataset versions: list, show, check out.",
    "diff": "How a model, environment, commit or dataset differs from another.",
    "lineage": "Where a version of data or of a model came from, and what was made of it.",
    "card": "A model card, a data sheet, or another document, filled in from records.",
    "readiness": "Is it ready for production? The ML Test Score's 28 tests, from what is on record.",
    "up": "Everything on this machine: services, schedules, monitors, jobs.",
    "worker": "One more machine for the same yard: takes its jobs.",
    "jobs": "What the yard has to do: list, logs, cancel, retry.",
    "alerts": "What people are told of: list, silence, resolve, try channels.",
    "runs": "Trainings.",
    "reproduce": "Train again as it was trained: is it the same?",
    "versions": "Registered versions: find them, note, tag and name them.",
    "releases": "What went live, where and when.",
    "render": "Files of other programs: Docker, Kubernetes, nginx, Prometheus, ...",
    "image": "A container image of an environment's service.",
    "ci": "What pipelines run: the report on a pull request.",
    "keys": "Whose signatures count: the key that signs here, and those that are trusted.",
    "token": "Who may do what: tokens that prove a person, with roles.",
    "audit": "Who did what, when; and that nobody changed it.",
    "yard": "Move facts and artifacts to another database or store.",
    "gc": "Free the room of what nothing needs.",
    "doctor": "What is wrong here, and what to do.",
    "demo": "The whole lifecycle on real data.",
}

_WORDS = """Usage: modelyard [OPTIONS] COMMAND [ARGS]...

  From a folder of model code to a tested, monitored, governed service.

  modelyard init screening && cd screening
  modelyard build
  modelyard deploy test screening

Options:
  -C, --project DIRECTORY  The project's folder; by default the nearest one at
                           or above here.
  --debug                  Show a traceback instead of one sentence.
  --version                Show the version.
  -h, --help               Show this; 'modelyard COMMAND --help' shows a command's.

Commands:
"""


def help_text() -> str:
    """What ``modelyard --help`` prints."""
    width = max(map(len, COMMANDS)) + 2
    return _WORDS + "\n".join(f"  {name:<{width}}{line}" for name, line in COMMANDS.items())
