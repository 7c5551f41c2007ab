"""The console: pages that need no script."""

from __future__ import annotations

import datetime as dt
import re

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from modelyard.actions import alerts, jobs, look
from modelyard.actions.evaluate import stored_report
from modelyard.actions.history import history, window_report
from modelyard.actions.overview import overview
from modelyard.errors import ModelyardError, UnknownName
from modelyard.project import now
from modelyard.records.job import OPEN
from modelyard.render import html, monitored
from modelyard.render.console import strip
from modelyard.web.answers import COOKIE, Asking, Work, form, status
from modelyard.web.desk import LASTS, Desk
from modelyard.web.door import REPORT

_DIGEST = re.compile(r"[0-9a-f]{64}")
_WINDOWS = 60
_JOBS = 100


def _overview(asking: Asking) -> Response:
    cells = overview(asking.project)
    return _page(
        asking,
        "overview",
        cells=cells,
        alerts=alerts.listed(asking.project),
        models=list(asking.project.settings.models),
        environments=list(asking.project.settings.environments),
        jobs=jobs.listed(asking.project, limit=8),
    )


def _model(asking: Asking) -> Response:
    project, model = asking.project, asking.word("model")
    project.model(model)
    past = {name: history(project, name, (model,), limit=_WINDOWS) for name in project.settings.environments}
    with project.yard.read() as facts:
        releases = facts.releases.list(model=model)[:_WINDOWS]
    return _page(
        asking,
        "model",
        model=model,
        versions=look.versions(project, model)[::-1],
        releases=releases,
        cells=[cell for cell in overview(project) if cell.live.model == model],
        strips=[(name, found, strip(found)) for name, found in past.items() if found],
        jobs=[j for j in jobs.listed(project, limit=_JOBS) if model in j.asked.models][:8],
    )


def _jobs(asking: Asking) -> Response:
    return _page(asking, "jobs", jobs=jobs.listed(asking.project, limit=_JOBS))


def _job(asking: Asking) -> Response:
    job, pieces = jobs.said(asking.project, asking.number("job"))
    return _page(
        asking,
        "job",
        job=job,
        log="".join(piece.text for piece in pieces),
        refresh=2 if job.state in OPEN else 0,
    )


def _alerts(asking: Asking) -> Response:
    every = alerts.listed(asking.project, over=True, limit=_JOBS)
    return _page(
        asking,
        "alerts",
        open=alerts.listed(asking.project),
        over=[alert for alert in every if alert.state == "resolved"],
        now=now(),
    )


def _silence(asking: Asking) -> Response:
    alerts.silence(asking.project, asking.number("alert"), lasts=dt.timedelta(days=1))
    return _seen("/console/alerts")


def _resolve(asking: Asking) -> Response:
    alerts.resolve(asking.project, asking.number("alert"))
    return _seen("/console/alerts")


def _report(asking: Asking) -> Response:
    return _sealed(html.report(stored_report(asking.project, _digest(asking))))


def _window(asking: Asking) -> Response:
    return _sealed(monitored.page(window_report(asking.project, _digest(asking))))


def _digest(asking: Asking) -> str:
    digest = asking.word("digest")
    if not _DIGEST.fullmatch(digest):
        raise UnknownName("There is no such report.")
    return digest


def _sealed(text: str) -> Response:
    return HTMLResponse(text, headers={"content-security-policy": REPORT})


def _build(asking: Asking) -> Response:
    job = jobs.ask(asking.project, "build", (asking.word("model"),))
    return _seen(f"/console/jobs/{job.id}")


def _cancel(asking: Asking) -> Response:
    return _seen(f"/console/jobs/{jobs.cancel(asking.project, asking.number('job')).id}")


def _retry(asking: Asking) -> Response:
    return _seen(f"/console/jobs/{jobs.retry(asking.project, asking.number('job')).id}")


def _seen(where: str) -> Response:
    return RedirectResponse(where, 303)


def signed_in(request: Request, body: bytes) -> Response:
    """A session for a token, for the console's key, or for an invitation; else the page that asks for one."""
    desk: Desk = request.app.state.desk
    code = request.query_params.get("once", "")
    try:
        secret = (desk.sessions.accept(code) or "") if code else form(body).get("token", "").strip()
        if not secret:
            wrong = "That link was used, or is too old: sign in by a token." if code else ""
            return HTMLResponse(html.page("console/login.html", wrong=wrong), 401 if code else 200)
        with desk.open(secret):
            pass
    except ModelyardError as error:
        refused = html.page("console/login.html", wrong=str(error))
        return HTMLResponse(refused, status(error, known=False))
    answer = RedirectResponse("/console", 303)
    answer.set_cookie(
        COOKIE, desk.sessions.begin(secret), max_age=int(LASTS), httponly=True, samesite="strict", path="/"
    )
    return answer


def _signed_out(asking: Asking) -> Response:
    desk: Desk = asking.request.app.state.desk
    desk.sessions.end(asking.request.cookies.get(COOKIE, ""))
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(COOKIE, path="/")
    return answer


def _page(asking: Asking, name: str, /, **facts: object) -> Response:
    told = {
        "project": asking.project.settings.project.name,
        "who": asking.project.actor,
        "csrf": asking.session.csrf if asking.session else "",
        "refresh": 0,
        "here": name,
    }
    return HTMLResponse(html.page(f"console/{name}.html", **(told | facts)))


def style() -> str:
    """The pages' style, as one file."""
    return html.page("console/style.css")


def trouble(_: Request, error: ModelyardError, code: int) -> Response:
    """The error as a page; who is not known is asked to sign in."""
    if code == 401:
        return RedirectResponse("/login", 303)
    return HTMLResponse(html.page("console/trouble.html", message=str(error), code=code), code)


PAGES: tuple[tuple[str, str, Work], ...] = (
    ("GET", "/console", _overview),
    ("GET", "/console/models/{model}", _model),
    ("GET", "/console/alerts", _alerts),
    ("POST", "/console/alerts/{alert}/silence", _silence),
    ("POST", "/console/alerts/{alert}/resolve", _resolve),
    ("GET", "/console/jobs", _jobs),
    ("GET", "/console/jobs/{job}", _job),
    ("GET", "/console/reports/{digest}", _report),
    ("GET", "/console/windows/{digest}", _window),
    ("POST", "/console/models/{model}/build", _build),
    ("POST", "/console/jobs/{job}/cancel", _cancel),
    ("POST", "/console/jobs/{job}/retry", _retry),
    ("POST", "/console/leave", _signed_out),
)
"""All of the console."""
