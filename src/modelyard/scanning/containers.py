"""Container configuration: Dockerfiles, Compose files and Kubernetes manifests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from modelyard.records.weakness import Level, Weakness
from modelyard.scanning.files import Files

_SECRET = re.compile(r"(PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY)", re.IGNORECASE)
_NOT_ONE = re.compile(r"(_FILE|_PATH|_NAME|_ID)$", re.IGNORECASE)
_PIPED = re.compile(r"\b(curl|wget)\b[^|;&]*\|\s*(sudo\s+)?(ba|z|da)?sh\b")
_FETCHED = re.compile(r"^https?://|^git@", re.IGNORECASE)
_SOCKET = "docker.sock"
_POWERS = {"ALL", "SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE"}
_HELP = "https://cheatsheetseries.owasp.org/cheatsheets/Docker_Security_Cheat_Sheet.html"


def containers(files: Files) -> Iterator[Weakness]:
    for path, file in files.of("dockerfile", "dockerfile.*", "*.dockerfile", "containerfile"):
        yield from _dockerfile(path, file.read_text(errors="replace"))
    for path, file in files.of("*.yaml", "*.yml"):
        text = file.read_text(errors="replace")
        try:
            documents = [d for d in yaml.safe_load_all(text) if isinstance(d, dict)]
        except (yaml.YAMLError, ValueError, RecursionError):
            continue  # a template, or somebody else's to mend
        for document in documents:
            try:
                if "apiVersion" in document and "kind" in document:
                    yield from _manifest(path, document, text)
                elif isinstance(document.get("services"), dict):
                    yield from _compose(path, document["services"], text)
            except (AttributeError, TypeError):
                said = f"{path} is not written as such files are, so not all of it was looked at."
                yield _weak(path, 1, "container-unread", "note", said)


def _dockerfile(path: str, text: str) -> Iterator[Weakness]:
    user, stages, began = "", set[str](), 1
    for line, words in _instructions(text):
        verb, rest = words[0].upper(), words[1:]
        if verb == "FROM" and rest:
            image = next((w for w in rest if not w.startswith("--")), "")
            user, began = "", line
            if image not in stages and image != "scratch":
                yield from _image(path, line, image)
            if len(rest) > 2 and rest[-2].upper() == "AS":
                stages.add(rest[-1])
        elif verb == "USER" and rest:
            user, began = rest[0].partition(":")[0], line
        elif verb == "ADD" and any(_FETCHED.match(word) for word in rest):
            yield _weak(
                path,
                line,
                "docker-add-remote",
                "warning",
                "ADD of an address brings what nobody checked: fetch it and check its digest.",
            )
        elif verb in ("ENV", "ARG"):
            yield from _given(path, line, rest)
        elif verb == "RUN" and _PIPED.search(" ".join(rest)):
            yield _weak(
                path,
                line,
                "docker-piped",
                "warning",
                "What is fetched is run at once: fetch it, check its digest, then run it.",
            )
    if text.strip() and user in ("", "root", "0"):
        said = "The container runs as root: end with USER and a number that is not 0."
        yield _weak(path, began, "docker-root", "warning", said)


def _instructions(text: str) -> Iterator[tuple[int, list[str]]]:
    """Each instruction's words with its first line; comments and continuations are taken up."""
    held: list[str] = []
    first = 1
    for at, line in enumerate(text.splitlines(), start=1):
        bare = line.strip()
        if not held and (not bare or bare.startswith("#")):
            continue
        if not held:
            first = at
        if bare.startswith("#"):
            continue
        held += bare.removesuffix("\\").split()
        if not bare.endswith("\\") and held:
            yield first, held
            held = []
    if held:
        yield first, held


def _image(path: str, line: int, image: str) -> Iterator[Weakness]:
    if "$" in image or "@sha256:" in image:
        return
    name = image.rpartition("/")[2]
    if ":" not in name or name.endswith(":latest"):
        said = f"{image} is another image tomorrow: name a version, best with its digest."
        yield _weak(path, line, "image-latest", "warning", said)
    else:
        yield _weak(path, line, "image-unpinned", "note", f"{image} has no digest: it may become another.")


def _given(path: str, line: int, words: list[str]) -> Iterator[Weakness]:
    pairs = [word.partition("=") for word in words if "=" in word]
    for name, _, value in pairs or [(words[0], "", " ".join(words[1:]))] if words else []:
        if _SECRET.search(name) and not _NOT_ONE.search(name) and value.strip("\"'") and "$" not in value:
            said = f"{name} is in every layer for whoever has the image: give it when the container runs."
            yield _weak(path, line, "docker-secret", "error", said)


def _compose(path: str, services: dict[str, Any], text: str) -> Iterator[Weakness]:
    for name, service in services.items():
        if not isinstance(service, dict):
            continue
        line = _line(text, rf"^\s+{re.escape(str(name))}:")
        about = f"{name} in {path}"
        if service.get("privileged") is True:
            yield _weak(
                path, line, "privileged", "error", f"{about} is privileged: it is root on the machine."
            )
        if {str(c) for c in service.get("cap_add") or ()} & _POWERS:
            yield _weak(
                path,
                line,
                "capabilities",
                "error",
                f"{about} adds capabilities that reach beyond the container.",
            )
        if any(_SOCKET in str(volume) for volume in service.get("volumes") or ()):
            yield _weak(
                path, line, "docker-socket", "error", f"{about} has Docker's socket: it may start anything."
            )
        if "host" in (service.get("network_mode"), service.get("pid"), service.get("ipc")):
            yield _weak(
                path, line, "host-namespace", "warning", f"{about} shares a namespace of the machine."
            )
        if isinstance(service.get("image"), str) and "build" not in service:
            yield from _image(path, line, service["image"])


def _manifest(path: str, document: dict[str, Any], text: str) -> Iterator[Weakness]:
    pod = _pod(document)
    if pod is None:
        return
    line = _line(text, rf"^kind:\s*{re.escape(str(document['kind']))}")
    about = f"{document['kind']} {(document.get('metadata') or {}).get('name', '')}".strip()
    around = pod.get("securityContext") or {}
    if pod.get("hostNetwork") or pod.get("hostPID") or pod.get("hostIPC"):
        yield _weak(path, line, "host-namespace", "error", f"{about} shares a namespace of its node.")
    if any("hostPath" in volume for volume in pod.get("volumes") or () if isinstance(volume, dict)):
        yield _weak(path, line, "host-path", "error", f"{about} mounts a folder of its node.")
    for container in [*(pod.get("containers") or ()), *(pod.get("initContainers") or ())]:
        context = container.get("securityContext") or {}
        here = f"{about}, container {container.get('name', '')}"
        if context.get("privileged") is True:
            yield _weak(path, line, "privileged", "error", f"{here} is privileged: it is root on the node.")
        if context.get("runAsNonRoot", around.get("runAsNonRoot")) is not True:
            yield _weak(path, line, "may-be-root", "warning", f"{here} may run as root: set runAsNonRoot.")
        if context.get("allowPrivilegeEscalation") is not False:
            yield _weak(
                path,
                line,
                "may-escalate",
                "warning",
                f"{here} may gain rights: set allowPrivilegeEscalation to false.",
            )
        if "memory" not in ((container.get("resources") or {}).get("limits") or {}):
            yield _weak(
                path,
                line,
                "no-memory-limit",
                "warning",
                f"{here} may take all memory of its node: set a limit.",
            )
        if isinstance(container.get("image"), str):
            yield from _image(path, line, container["image"])


def _pod(document: dict[str, Any]) -> dict[str, Any] | None:
    """The pod's specification in a manifest that has containers; a patch of some fields is none."""
    spec = document.get("spec") or {}
    for step in ("jobTemplate", "template"):
        if isinstance(spec.get(step), dict):
            spec = spec[step].get("spec") or {}
    if isinstance(spec.get("template"), dict):
        spec = spec["template"].get("spec") or {}
    listed = spec.get("containers")
    whole = isinstance(listed, list) and all(isinstance(c, dict) and "image" in c for c in listed)
    return spec if whole and listed else None


def _line(text: str, pattern: str) -> int:
    found = re.search(pattern, text, re.MULTILINE)
    return text.count("\n", 0, found.start()) + 1 if found else 1


def _weak(path: str, line: int, rule: str, level: Level, said: str) -> Weakness:
    return Weakness(
        check="containers", rule=rule, level=level, path=path, line=line, message=said, help=_HELP
    )
