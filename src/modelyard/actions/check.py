"""``check``: the model's own tests and its service tests, nothing registered."""

from __future__ import annotations

import msgspec

from modelyard.actions.locate import located, materialised
from modelyard.actions.own import owned
from modelyard.actions.staged import shared
from modelyard.actions.switch import door
from modelyard.actions.try_out import refuse, try_out
from modelyard.actions.uses import laid, meant
from modelyard.errors import CheckFailed
from modelyard.project import Project, fresh
from modelyard.records.service import ServedModel, ServicePlan
from modelyard.records.tested import ApplicationReport
from modelyard.storage.scratch import scratch
from modelyard.training import TestsResult, identify, run_tests


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    model: str
    tests: TestsResult
    service: ApplicationReport


def check(project: Project, model: str, environment: str | None = None) -> Checked:
    """Run ``test_model.py``, then the newest run's package as a service on a free port, as ``environment`` tests it.

    Raises ``CheckFailed`` with the first failure; nothing is registered or made live. That they passed is on record.
    """
    settings = project.model(model)
    project.tell(f"running the tests of {model}")
    places = [project.root / place for place in project.settings.project.code]
    with project.yard.read() as facts:
        uses = meant(project, facts, model)
    with scratch("uses-", project.scratch) as held:
        tests = run_tests(
            project.root / settings.code,
            cwd=project.root,
            shared=places,
            place=project.scratch,
            uses=laid(project, uses, held / "uses"),
        )
    if tests.failed or tests.errors:
        raise CheckFailed(
            f"The tests of {model} failed: {tests.failed} failed, {tests.errors} errors, "
            f"{tests.passed} passed.\n{tests.output}"
        )
    if not tests.passed:
        raise CheckFailed(f"{settings.code}/test_model.py of {model} has no test that ran; write one.")
    package = located(project, f"{model}@run")
    folder = materialised(project, package.digest)
    trust = project.trust(environment)
    served = ServedModel(
        model=model,
        version=0,
        model_id=f"{model}/{environment or 'check'}/0",
        package=package.digest,
        folder=str(folder.resolve()),
        trust=trust,
    )
    project.tell(f"testing {model} as a service")
    report = try_out(
        project,
        package,
        _plan(project, served, environment),
        subject=f"{model}@run",
        trust=trust,
        environment=environment,
    )
    refuse(project, report, model)
    passed, code = tests.passed, identify(project.root / settings.code, project.root, shared(project, model))
    project.yard.once(
        fresh("check"),
        project.actor,
        lambda facts: facts.events.append(
            "package.checked",
            f"{model}@run/{package.run}",
            package=package.digest,
            code=code.digest,
            tests=passed,
            service=len(report.outcomes),
        ),
        type(None),
    )
    return Checked(model=model, tests=tests, service=report)


def _plan(project: Project, served: ServedModel, environment: str | None) -> ServicePlan:
    """That model alone, as the environment's service would answer."""
    if environment is None:
        return ServicePlan(environment="check", generation=1, port=1, models=owned(project, (served,)))
    return msgspec.structs.replace(door(project, environment), models=owned(project, (served,)))
