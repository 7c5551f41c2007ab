"""``retrain``: from a decision to a live version, or to the reason why there is none.

Rows in, build, challenger against champion, register, through the environments, canary, live. What each part gave
is on record before the next begins, so that whoever comes after a kill goes on there; and every part is done at most
once for its operation. It never sleeps: where it has to wait, for people or for a canary's requests, it says for
what and ends; the next call goes on.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from modelyard import gates, registry
from modelyard.actions.standing import occasion, present, standing
from modelyard.errors import GateFailed, Misuse, Refusal, ReviewMissing
from modelyard.pipelines.build import Step, build
from modelyard.pipelines.trial import trial
from modelyard.ports import Facts
from modelyard.project import Project, fresh, now
from modelyard.records.gate import Gate
from modelyard.records.registry import Release
from modelyard.records.trigger import Decision, Outcome, Retraining
from modelyard.settings.spans import span

Report = Callable[[Step], None]
_OUTCOMES: dict[str, Outcome] = {"ended": "rolled_back", "failed": "failed", "gone": "overtaken"}
"""Of a trial."""


class _Waits(Exception):
    """Nothing more can be done until that has happened."""


class _Over(Exception):
    def __init__(self, outcome: Outcome, said: str) -> None:
        super().__init__(said)
        self.outcome = outcome


def retrain(
    project: Project,
    decision: Decision,
    *,
    operation: str | None = None,
    report: Report = lambda _: None,
) -> Retraining:
    """Carry out a yes as far as it goes now. A model has one retraining at a time: of two decisions at once the second
    joins the first.

    What a challenger or a build lacks is its outcome, not an error. Raises an ``Outage`` as it comes: the same call, or
    ``go_on``, takes it up again.
    """
    if decision.verdict != "yes":
        raise Misuse(f"That decision about {decision.model} is no yes but: {decision.reason}")
    _may(project, decision.model)
    begun = project.yard.once(
        operation or decision.operation,
        project.actor,
        lambda facts: registry.commence(facts, decision, by=project.actor, now=now()),
        Retraining,
    )
    return go_on(project, begun.model, report=report) or _known(project, begun)


def go_on(project: Project, model: str, *, report: Report = lambda _: None) -> Retraining | None:
    """Take the model's retraining further that is under way here; None when there is none."""
    with project.lock(f"retrain-{model}"):
        with project.yard.read() as facts:
            found = registry.under_way(facts, model)
        if found is None or found.pipeline:
            return None
        _may(project, model)
        return _Way(project, found, report).go()


def _may(project: Project, model: str) -> None:
    project.require("developer")
    for name in _environments(project, model):
        project.require("deployer", name)


def _known(project: Project, begun: Retraining) -> Retraining:
    with project.yard.read() as facts:
        there = registry.retrainings(facts, begun.model)
    return next(one for one in there if one.operation == begun.operation)


def _environments(project: Project, model: str) -> list[str]:
    names = list(project.settings.environments)
    return names[: names.index(project.trigger(model).deploy_to or names[-1]) + 1]


class _Way:
    def __init__(self, project: Project, found: Retraining, report: Report) -> None:
        self._project, self._at, self._report = project, found, report
        self._settings = project.trigger(found.model)
        self._to = self._settings.deploy_to or ""

    def go(self) -> Retraining:
        try:
            if not self._at.package:
                self._build()
            if not self._at.shown:
                self._challenge()
            if not self._at.version:
                self._register()
            for name in _environments(self._project, self._at.model):
                self._release(name)
            raise _Over("live", f"{self._ref} is live in {self._to}: {self._at.shown}")
        except _Waits as waits:
            return self._keep(waits=str(waits))
        except _Over as end:
            return self._end(end.outcome, str(end))
        except GateFailed as refusal:
            return self._end("refused", str(refusal))
        except (Refusal, Misuse) as error:
            return self._end("failed", str(error))

    @property
    def _ref(self) -> str:
        return f"{self._at.model}@{self._at.version}"

    def _build(self) -> None:
        """Rows first, since how many of them are fresh is known only then."""
        model, project = self._at.model, self._project
        if self._settings.labelled:
            from modelyard.actions.labelled import labelled

            labelled(project, model, environment=self._settings.environment or "", to=self._settings.labelled)
        build(project, [model], until="ingest", report=self._report).refuse()
        with project.yard.read() as facts:
            data = facts.datasets.latest(project.model(model).data)
        assert data is not None, "an ingest gives a version"
        code = present(project, model).digest
        state = standing(
            project, model, moment=now(), code=code, data=data, count=True, beside=self._at.operation
        )
        again = gates.policy.decide(
            self._settings.policy,
            self._at.fired,
            state,
            model=model,
            environment=self._settings.environment or "",
        )
        if again.verdict != "yes":
            project.yard.once(
                fresh("decide"), project.actor, lambda facts: registry.decided(facts, again), type(None)
            )
            raise _Over("unchanged", again.reason)
        self._keep(data=data.ref, key=occasion(project, model, data=data, code=code))
        built = build(project, [model], until="package", report=self._report)
        built.refuse()
        self._keep(package=built.gave[f"{model}/package"])

    def _challenge(self) -> None:
        """The champion is asked the same rows. Raises ``GateFailed``."""
        from modelyard.actions.evaluate import judge
        from modelyard.actions.locate import located, opened
        from modelyard.metrics.score import default

        project, asked = self._project, self._settings.champion
        with project.yard.read() as facts:
            champion = facts.releases.live(self._to, self._at.model)
        if champion is None:
            self._keep(shown=f"nothing of {self._at.model} is live in {self._to} to compare it with")
            return
        if champion.package == self._at.package:
            raise _Over(
                "unchanged",
                f"The build gave what is live in {self._to}: {self._at.model}@{champion.version}.",
            )
        package = located(project, f"{self._at.model}@{self._at.package}")
        settings = project.model(self._at.model)
        of = opened(project, package.digest).manifest
        whole = Gate(
            metric=asked.metric or settings.metric or default(of.task, of.quantiles),
            no_worse_than=self._to,
            tolerance=asked.margin,
            test=asked.test,
            confidence=asked.confidence,
        )
        columns = tuple(s if isinstance(s, str) else s.column for s in settings.evaluation.slices)
        parts = replace(whole, test="inferiority", slices=columns)
        found = judge(project, package, bounds=(whole, parts) if columns else (whole,))
        gates.refuse(found.gates)
        self._keep(shown=found.gates[0].sentence)

    def _register(self) -> None:
        model = self._at.model
        built = build(self._project, [model], report=self._report)
        built.refuse()
        ref = built.gave[f"{model}/register"]
        with self._project.yard.read() as facts:
            version = facts.versions.get(model, int(ref.rpartition("@")[2]))
        assert version is not None, "a build gives a version"
        if version.package != self._at.package:
            raise _Over("overtaken", f"While it was judged, other rows or code were built as {ref}.")
        self._keep(version=version.number)

    def _release(self, environment: str) -> None:
        """Admitted there, by people where they are asked; then live there, in the last one by way of a canary."""
        project, model = self._project, self._at.model
        self._admit(environment)
        with project.yard.read() as facts:
            live = facts.releases.live(environment, model)
            done = facts.done(self._name("deploy", environment), Release)
            before = facts.releases.get(done.id) if done else None
        if live is not None and live.version == self._at.version:
            return
        if before is not None and before.status != "wanted":
            if before.status == "failed":
                raise _Over("failed", before.reason)
            if environment == self._to:
                raise _Over(
                    "overtaken", f"{self._ref} is {before.status} in {environment}: somebody else saw to it."
                )
            return
        why = f"retraining {self._at.number}: {self._at.reason}"
        if live is not None and environment == self._to and self._settings.canary.steps:
            said = trial(
                project, self._settings.canary, environment, self._ref, self._name("canary", environment), why
            )
            if said.state == "waits":
                raise _Waits(said.sentence)
            if said.state != "passed":
                raise _Over(_OUTCOMES[said.state], said.sentence)
            why = said.sentence
        from modelyard.actions.deploy import deploy

        deploy(project, environment, self._ref, reason=why, operation=self._name("deploy", environment))

    def _admit(self, environment: str) -> None:
        project, ref = self._project, self._ref
        with project.yard.read() as facts:
            if facts.admissions.get(self._at.model, self._at.version, environment) is not None:
                return
        command = f"'modelyard promote {ref} --to {environment}'"
        try:
            if self._settings.promote == "review":
                raise ReviewMissing(f"{ref} waits for a person to run {command}.")
            from modelyard.actions.promote import promote

            why = f"retraining {self._at.number}: {self._at.reason}"
            promote(
                project, ref, to=environment, reason=why[:500], operation=self._name("promote", environment)
            )
        except ReviewMissing as missing:
            patience = span(self._settings.patience)
            if now() >= self._at.begun + patience:
                raise _Over(
                    "lapsed", f"Nobody let {ref} into {environment} in {self._settings.patience}."
                ) from None
            raise _Waits(str(missing)) from None

    def _name(self, verb: str, environment: str) -> str:
        return f"{self._at.operation}/{verb}/{environment}"

    def _keep(self, **changes: str | int) -> Retraining:
        self._at = replace(self._at, **{"waits": "", **changes})
        at = self._at
        return self._once(lambda facts: registry.proceed(facts, at))

    def _once(self, work: Callable[[Facts], Retraining]) -> Retraining:
        """What is on record already, the record itself knows."""
        return self._project.yard.once(fresh("retrain"), self._project.actor, work, Retraining)

    def _end(self, outcome: Outcome, said: str) -> Retraining:
        return self._once(lambda facts: registry.conclude(facts, self._at, outcome, said, now()))
