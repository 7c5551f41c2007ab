"""``loadtest``: a service under load, with a report and a verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from modelyard.actions.doors import directly
from modelyard.actions.locate import located, materialised
from modelyard.actions.own import owned
from modelyard.actions.switch import TIMEOUT, address
from modelyard.deployment.local import Candidate
from modelyard.errors import DataRefused, Misuse, ServiceDown, StoreDown
from modelyard.loadtest import drive, estimate, figures, judge, parse, spread, watching
from modelyard.loadtest.drive import cores, request
from modelyard.loadtest.histogram import percentile
from modelyard.project import Project, now
from modelyard.records.load import Load, LoadTest
from modelyard.records.service import ServedModel, ServicePlan
from modelyard.records.tested import Golden
from modelyard.storage.scratch import scratch

if TYPE_CHECKING:
    from modelyard.loadtest.usage import Usage
    from modelyard.records.schema import Schema

_ROWS = 5000
"""Different requests that the users draw from."""


class Asked(NamedTuple):
    """What is asked, and what is known of it."""

    url: str
    schema: Schema | None = None
    """What a row is."""
    source: str | None = None
    """Where rows are."""
    token: str | None = None
    service: Candidate | None = None
    """Its processes, where they are on this machine."""
    package: Path | None = None

    def watched(self) -> AbstractContextManager[Usage | None]:
        """What the service takes meanwhile."""
        if self.service is None:
            return nullcontext()
        return watching(self.service.processor_seconds, self.service.memory_mb)

    def log_bytes(self, rows: int) -> float | None:
        """That a request leaves in the prediction log."""
        if self.package is None:
            return None
        from modelyard.loadtest.logged import log_bytes
        from modelyard.predictor import verify

        golden = msgspec.json.decode((self.package / "golden.json").read_bytes(), type=Golden)
        return log_bytes(verify(self.package), golden, rows=rows)


def loadtest(
    project: Project,
    target: str,
    *,
    load: Load,
    promises: Sequence[str] = (),
    data: str | None = None,
    rows: int = 1,
    processes: int = 1,
    token: str | None = None,
    wanted: float | None = None,
    cost: float | None = None,
) -> LoadTest:
    """Ask ``target`` as ``load`` says with rows of the model's data.

    A URL and ``NAME@ENVIRONMENT`` are asked where they are; any other reference is served for the test, on this
    machine. ``data`` names other rows, a file or a dataset.
    """
    promised = [parse(text) for text in promises]
    with _asked(project, target) as asked:
        load, token = msgspec.structs.replace(load, url=asked.url), token or asked.token
        bodies = _bodies(project, data or asked.source, asked.schema, rows)
        requests = [request(load.url, body, token=token) for body in bodies]
        _try(load.url, bodies[0], token)
        with scratch("load-", project.scratch) as place, asked.watched() as usage:
            outcome = drive(
                load,
                requests,
                processes=processes,
                scratch=place,
                tell=project.tell,
            )
    if not any(level.asked for level in outcome.levels):
        raise Misuse("No request fell into the test; ask for more users, or for longer.")
    cores_of = usage.by_level(load, outcome) if usage else [None] * len(outcome.levels)
    return LoadTest(
        target=target,
        load=load,
        rows=rows,
        at=now(),
        cores=cores(),
        levels=tuple(
            figures(level, promised, cores=used) for level, used in zip(outcome.levels, cores_of, strict=True)
        ),
        course=tuple(figures(second) for second in outcome.seconds),
        spread=spread(outcome.levels[-1]),
        connections=outcome.connections,
        busy=outcome.busy,
        late=percentile(outcome.late, 0.99) if outcome.late else None,
        verdicts=judge(outcome.levels[-1], promised),
        estimate=None if wanted is None else estimate(outcome, promised, target=wanted, cost=cost),
        memory_mb=usage.memory_mb if usage else None,
        log_bytes=asked.log_bytes(rows),
    )


def write(found: LoadTest, path: Path) -> None:
    """The report as a page that opens anywhere; ``StoreDown`` when it cannot be written."""
    from modelyard.render.loaded import page

    try:
        path.write_text(page(found))
    except OSError as error:
        raise StoreDown(f"{path} cannot be written: {error.strerror or error}.") from None


@contextmanager
def _asked(project: Project, target: str) -> Iterator[Asked]:
    if "://" in target:
        if urlsplit(target).scheme not in ("http", "https"):
            raise Misuse(f"{target} is no address of a service; give http://HOST:PORT/models/NAME/predict.")
        yield Asked(target)
        return
    name, _, selector = target.partition("@")
    package = located(project, target)
    folder = materialised(project, package.digest)
    from modelyard.predictor import Manifest, verify
    from modelyard.tables.rules import of_features

    manifest: Manifest = verify(folder, package.digest)
    schema, source = of_features(manifest.schema), project.model(name).data
    path = f"/models/{name}/predict"
    if selector in project.settings.environments:
        tokens, url = project.tokens(selector), address(project, selector)
        here = project.settings.environments[selector].target == "local"
        state = project.target.state(selector) if here else None
        running = Candidate(url, None, state.pid) if state else None
        yield Asked(url + path, schema, source, tokens[0] if tokens else None, running, folder)
        return
    plan = ServicePlan(
        environment="loadtest",
        generation=1,
        port=1,
        models=owned(
            project,
            (
                ServedModel(
                    model=name,
                    version=0,
                    model_id=f"{name}/loadtest/0",
                    package=package.digest,
                    folder=str(folder.resolve()),
                    trust=project.trust(),
                ),
            ),
        ),
    )
    project.tell(f"starting {target}")
    with project.target.candidate(plan, timeout=TIMEOUT) as candidate:
        yield Asked(
            candidate.url + path,
            schema,
            source,
            service=candidate if isinstance(candidate, Candidate) else None,
            package=folder,
        )


def _bodies(project: Project, data: str | None, schema: Schema | None, rows: int) -> list[bytes]:
    """Requests of real rows."""
    if data is None:
        raise Misuse("Name the rows to send with --data FILE, a CSV or Parquet file of features.")
    frame = _frame(project, data, schema)
    if schema is not None:
        lacking = [c.name for c in schema.features if c.name not in frame.columns]
        if lacking:
            raise DataRefused(f"{data} has no column '{lacking[0]}', which the model asks for.")
        frame = frame.select([c.name for c in schema.features])
    if not frame.height:
        raise DataRefused(f"{data} holds no rows; give some.")
    found: list[dict[str, Any]] = frame.head(_ROWS * rows).to_dicts()
    groups = [
        [found[(at + i) % len(found)] for i in range(rows)] for at in range(0, max(len(found), 1), rows)
    ]
    return [msgspec.json.encode({"rows": group}) for group in groups]


def _frame(project: Project, data: str, schema: Schema | None) -> Any:
    from modelyard.data import extract, scan

    if data.partition("@")[0] in project.settings.data and not Path(data).exists():
        from modelyard.actions.stored import dataset_version

        version = dataset_version(project, data)
        return scan(version, project.holding(version), part="all").head(100_000).collect()
    path = Path(data)
    if not path.exists():
        raise Misuse(f"There is no file {data}, and no dataset of that name.")
    return extract(str(path.resolve()), path.parent.resolve(), schema=schema)


def _try(url: str, body: bytes, token: str | None) -> None:
    """One request first: a load of refusals measures nothing."""
    import urllib.error
    import urllib.request

    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    try:
        with directly().open(urllib.request.Request(url, body, headers), timeout=20) as reply:
            reply.read()
    except urllib.error.HTTPError as error:
        said = error.read(300).decode(errors="replace")
        raise ServiceDown(f"{url} answers {error.code}: {said}") from None
    except (OSError, ValueError) as error:
        raise ServiceDown(f"{url} cannot be asked: {getattr(error, 'reason', error)}.") from None
