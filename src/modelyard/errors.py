"""Everything Modelyard raises on purpose (floor 0).

    ModelyardError
    ├── Misuse                 exit 2: the command or the settings are wrong
    │   ├── SettingsError      a setting is unknown, ill-typed or contradicts another
    │   ├── UnknownName        a model, dataset, version or environment that is not there
    │   ├── SourceMissing      a file or glob that a setting names does not exist
    │   └── ExtraMissing       a library of an extra is not installed
    ├── Refusal                exit 1: the answer is no
    │   ├── DataRefused        rows that cannot be read or do not fit the schema
    │   ├── AuthorError        the project's own code raised or returned nonsense
    │   ├── CheckFailed        a model's own test or an application test failed
    │   ├── GateFailed         a gate was not met
    │   ├── ReviewMissing      an environment's required review is not there
    │   ├── NotAdmitted        a version was not admitted to the environment
    │   ├── AccessDenied       a person or token that may not do this
    │   ├── Deprecated         a version that is to be used no more
    │   ├── Unconvertible      a model that cannot be packaged safely
    │   ├── Tampered           content that does not match its digest
    │   ├── Untrusted          a signature that is missing, does not verify or is of no trusted key
    │   ├── AuditBroken        the audit chain was edited, cut or rewritten
    │   ├── NotReproduced      a training that was done again gave another model
    │   ├── Alerted            monitoring found something past its threshold
    │   └── RequestRefused     a request to a service that it cannot answer (4xx)
    └── Outage                 exit 3: something outside failed
        ├── DatabaseDown       the yard's database is locked, unreachable or damaged
        ├── StoreDown          the artifact store or the disk under it failed
        ├── SourceDown         a database, web server or object store that rows come from failed
        ├── ClusterDown        the machines that trainings run on do not answer
        ├── ForgeDown          the API of GitHub, GitLab, Bitbucket or Azure DevOps failed
        │   ├── ForgeDenied    its token may not do that
        │   └── ForgeRefused   it says no to what it was asked (4xx)
        ├── ImageFailed        docker, podman or buildah could not build an image
        ├── StepDied           a process that did a step of a build was ended by force
        ├── PortTaken          another program listens on the port
        └── ServiceDown        a service did not start, answer or converge in time

A message is one sentence that says what, where and what to do. ``code`` is stable: programs may
match on it. Exit codes and HTTP statuses are mapped in the faces, nowhere else.
"""

from __future__ import annotations

from typing import ClassVar


class ModelyardError(Exception):
    """Base of all; never raised itself."""

    code: ClassVar[str] = "error"


class Misuse(ModelyardError):
    code = "misuse"


class SettingsError(Misuse):
    code = "settings"


class UnknownName(Misuse):
    code = "unknown_name"


class SourceMissing(Misuse):
    code = "source_missing"


class ExtraMissing(Misuse):
    code = "extra_missing"


class Refusal(ModelyardError):
    code = "refused"


class DataRefused(Refusal):
    code = "data_refused"


class AuthorError(Refusal):
    code = "author_error"


class CheckFailed(Refusal):
    code = "check_failed"


class GateFailed(Refusal):
    code = "gate_failed"


class ReviewMissing(Refusal):
    code = "review_missing"


class NotAdmitted(Refusal):
    code = "not_admitted"


class AccessDenied(Refusal):
    code = "access_denied"


class Deprecated(Refusal):
    code = "deprecated"


class Unconvertible(Refusal):
    code = "unconvertible"


class Tampered(Refusal):
    code = "tampered"


class Untrusted(Refusal):
    code = "untrusted"


class AuditBroken(Refusal):
    code = "audit_broken"


class NotReproduced(Refusal):
    code = "not_reproduced"


class Alerted(Refusal):
    code = "alert"


class RequestRefused(Refusal):
    """A request that a service cannot answer; ``field`` names the offending column."""

    code = "request_refused"

    def __init__(self, message: str, *, field: str | None = None, row: int | None = None) -> None:
        super().__init__(message)
        self.field = field
        self.row = row


class Outage(ModelyardError):
    code = "outage"


class DatabaseDown(Outage):
    code = "database"


class StoreDown(Outage):
    code = "store"


class SourceDown(Outage):
    code = "source_down"


class ClusterDown(Outage):
    code = "cluster"


class ForgeDown(Outage):
    code = "forge_down"


class ForgeDenied(ForgeDown):
    code = "forge_denied"


class ForgeRefused(ForgeDown):
    code = "forge_refused"


class ImageFailed(Outage):
    code = "image"


class StepDied(Outage):
    code = "step_died"


class PortTaken(Outage):
    code = "port_taken"


class ServiceDown(Outage):
    code = "service"
