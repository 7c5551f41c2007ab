"""Tests of what trains, checks and serves the model."""

from __future__ import annotations

from modelyard.readiness.found import Found, count, event, failed, file, made, missing, report, shown, span
from modelyard.readiness.known import Known


def reproducible(known: Known) -> Found:
    """I1."""
    done = next(known.told("package.reproduced", package=known.version.package), None)
    if done is None:
        return missing(
            "It was not trained again to see whether the same comes out.",
            f"Run 'modelyard reproduce {known.ref}'.",
        )
    verdict = str(done.payload["verdict"])
    if verdict == "different":
        return failed(
            "Trained again it was another model.",
            f"'modelyard reproduce {known.ref}' says in what.",
            event(done),
        )
    same = "the same to the bit" if verdict == "identical" else "equal in its answers"
    return made(f"Trained again on {done.ts:%Y-%m-%d} it was {same}.", event(done))


def unit_tested(known: Known) -> Found:
    """I2."""
    code = known.run.code.digest if known.run else ""
    checked = next(known.told("package.checked", package=known.version.package, code=code), None)
    if checked is None:
        return missing(
            "No run of the model's own tests on this package and its code is on record.",
            f"Run 'modelyard check {known.version.model}' after training.",
        )
    return made(
        f"{checked.payload['tests']} tests of test_model.py passed, and {checked.payload['service']} of its service.",
        event(checked),
    )


def integrated(known: Known) -> Found:
    """I3."""
    if not known.built:
        return missing(
            "No build of it went from the sources to the registry.",
            f"Run 'modelyard build {known.version.model}', and deploy what it registers to the first environment.",
        )
    tried = next((e for e in known.told("version.tried") if e.object in (known.built, known.ref)), None)
    if tried is None:
        return missing(
            f"One build registered {known.built}, but it was asked nothing as a service.",
            f"Run 'modelyard deploy {next(iter(known.settings.environments), 'test')} {known.built}'.",
        )
    return made(
        f"One build took {known.built} from the sources to the registry; {tried.payload['tests']} application tests passed on "
        f"{tried.object} as a service of {tried.payload['environment']}.",
        event(tried),
        *(file(path) for path in known.pipelines),
    )


def gated(known: Known) -> Found:
    """I4."""
    gates = known.registered.gates
    if not gates:
        return missing(
            "No gate had to be met before it was registered.",
            f"Set one under [models.{known.version.model}.gates], such as a least {known.report.metrics[0].name}.",
        )
    if bad := next((gate for gate in gates if not gate.passed), None):
        return failed(bad.sentence, "Mend the model.", report(known.ref))
    more = "" if len(gates) == 1 else f", and {count(len(gates) - 1, 'gate')} more"
    return made(f"{gates[0].sentence.rstrip('.')}{more}.", report(known.ref), file("modelyard.toml"))


def debuggable(known: Known) -> Found:
    """I5."""
    if not known.live:
        return missing(
            "It is live nowhere, so nobody can ask it a single example.",
            f"Deploy it: its page takes an example, and 'modelyard predict {known.ref} FILE' answers one from here.",
        )
    where = known.live[0].environment
    return made(
        f"Its page in {where} takes an example and shows the answer or the field that is wrong; each answer has an id "
        "under which its row is in the log.",
        file(f"{known.addresses[where]}/docs"),
        shown("the same from here", f"predict {known.ref} FILE"),
    )


def canary(known: Known) -> Found:
    """I6."""
    where = known.last or "prod"
    for trial in known.trials():
        if trial.environment != known.last or trial.trial is None or trial.finished is None:
            continue
        share = "answered" if trial.trial.arm == "canary" else "was asked, as a shadow,"
        part = f"{100 * trial.trial.share:.3g} % of" if trial.trial.arm == "canary" else "all"
        took = span((trial.ended or known.now) - trial.finished)
        return made(
            f"From {trial.finished:%Y-%m-%d} on it {share} {part} requests in {where} beside the live version, for {took}.",
            shown(f"releases in {where}", f"releases {where}"),
        )
    tried = next(known.told("version.tried", package=known.version.package, environment=known.last), None)
    todo = f"Try it beside the live version first: 'modelyard deploy {where} {known.ref} --canary 10%'."
    if tried is None:
        return missing(f"It was never tried in {where}.", todo)
    return missing(
        f"{tried.payload['tests']} application tests passed on it in {where} before any traffic was switched, but all "
        "traffic was switched at once.",
        todo,
        event(tried),
    )


def rollback(known: Known) -> Found:
    """I7."""
    done = known.rollbacks()
    if not done:
        return missing(
            "No rollback of the model is on record.",
            "Rehearse one: deploy two versions to the first environment and run "
            f"'modelyard rollback {next(iter(known.settings.environments), 'test')} {known.version.model}'.",
        )
    last = done[-1]
    took = span((last.finished or last.started) - last.started)
    return made(
        f"On {last.started:%Y-%m-%d} {last.environment} was taken back to {last.model}@{last.version} in {took}.",
        shown(f"releases in {last.environment}", f"releases {last.environment}"),
    )
