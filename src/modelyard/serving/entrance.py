"""Who may enter by a plan, and what is told of it: what is behind its rules, opened and closed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from modelyard.records.service import ServicePlan
from modelyard.serving.admission import Admission
from modelyard.serving.bearers import Bearers
from modelyard.serving.quota import Counts
from modelyard.serving.tls import Certificate
from modelyard.serving.watch import Watch


class Entrance:
    """Opened beside the one before it, of which it keeps what both have."""

    def __init__(
        self, plan: ServicePlan, *, slot: int, loop: asyncio.AbstractEventLoop, before: Entrance | None
    ) -> None:
        """Reads files and may ask an identity provider: not for the loop's thread. Raises a ``ModelyardError``."""
        self.plan = plan
        self.certificate: Certificate | None = None
        self.bearers: Bearers | None = None
        self.quota: Counts | None = None
        self.watch: Watch | None = None
        had = before.plan if before is not None else None
        if plan.tls is not None:
            # the listener has the context of the first plan for good, so what is new is only tried here
            self.certificate = Certificate(plan.tls)
            if before is not None and before.certificate is not None:
                self.certificate = before.certificate
        if plan.jwt is not None:
            same = before is not None and had is not None and had.jwt == plan.jwt
            self.bearers = before.bearers if same and before is not None else Bearers(plan.jwt)
        if plan.quota is not None:
            same = before is not None and had is not None and had.quota == plan.quota
            self.quota = before.quota if same and before is not None else Counts(plan.quota, slot)
        if before is not None and had is not None and had.telling == plan.telling:
            self.watch = before.watch
        else:
            watch = Watch(plan.telling, plan.environment, loop)
            self.watch = None if watch.idle else watch
        rate = None if plan.rate_limit is None else plan.rate_limit / plan.workers
        self.admission = Admission(
            loop.time,
            tokens=plan.token_sha256,
            origins=plan.origins,
            rate=rate,
            bearers=self.bearers,
            quota=self.quota,
        )

    def enter(self, before: Entrance | None, changed: Callable[[], None]) -> None:
        """From now on this one counts; ``changed`` is called in a thread when a provider's keys changed."""
        if self.certificate is not None and self.plan.tls is not None:
            self.certificate.follow(self.plan.tls)
        if self.bearers is not None and (before is None or before.bearers is not self.bearers):
            self.bearers.watch(changed)
        if before is not None:
            before.leave(self)

    def renew(self) -> str | None:
        """Take a certificate that changed; what is wrong with it, where something is."""
        return self.certificate.renew() if self.certificate is not None else None

    def leave(self, kept: Entrance | None) -> None:
        """Close what ``kept`` does not have."""
        if self.watch is not None and (kept is None or kept.watch is not self.watch):
            self.watch.close()
        if self.bearers is not None and (kept is None or kept.bearers is not self.bearers):
            self.bearers.close()
        if self.quota is not None and (kept is None or kept.quota is not self.quota):
            self.quota.close()
