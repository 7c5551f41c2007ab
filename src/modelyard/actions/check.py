"""``check``: the model's own tests and its service tests, nothing registered."""

from __future__ import annotations

import msgspec

from modelyard.actions.locate import located, materialised
from modelyard.actions.staged import shared
from modelyard.actions.switch import TIMEOUT
from modelyard.actions.try_out import refuse, try_out
from modelyard.actions.uses import laid, meant
from modelyard.deployment import Outcome
from modelyard.errors import CheckFailed
from modelyard.project import Project, fresh
from modelyard.records.service import ServedModel, ServicePlan
from modelyard.storage.scratch import scratch
from modelyard.training import TestsResult, identify, run_tests


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    model: str
    tests: TestsResult
    service: tuple[Outcome, ...]


def check(project: Project, model: str) -> Checked:
    """Run ``test_model.py``, then the newest run's package as a service on a free port.

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
    plan = ServicePlan(
        environment="check",
        generation=1,
        port=1,
        models=(
            ServedModel(
                model=model,
                version=0,
                model_id=f"{model}/check/0",
                package=package.digest,
                folder=str(folder.resolve()),
                trust=project.trust(),
            ),
        ),
    )
    project.tell(f"testing {model} as a service")
    with project.target.candidate(plan, timeout=TIMEOUT) as url:
        outcomes = try_out(project, package, url, trust=project.trust())
    refuse(outcomes, f"{model}@run")
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
            service=len(outcomes),
        ),
        type(None),
    )
    return Checked(model=model, tests=tests, service=outcomes)
