"""A package with this machine's signature. A noun that ``train``, ``package`` and ``import`` share."""

from __future__ import annotations

import msgspec

from modelyard.ports import Facts
from modelyard.project import Project, fresh
from modelyard.records.package import Package
from modelyard.records.trust import Signature


def signed(project: Project, package: Package) -> Package:
    """The package as the yard knows it, or as it is given, with a signature of the key that signs here.

    The signature is stored; the package's record is not. Its own key is made at first use, on record.
    """
    from modelyard.predictor.verify import MANIFEST, decode
    from modelyard.signing import sign_files

    with project.yard.read() as facts:
        known = facts.packages.get(package.digest) or package
    signer = project.signer()
    if signer.new:
        key = signer.public.id
        project.yard.once(
            f"key/{key}",
            project.actor,
            lambda facts: facts.events.append("key.made", key[:16], key=key),
            type(None),
        )
    if any(signature.key == signer.public.id for signature in known.signatures):
        return known
    manifest = decode(project.artifacts.get(known.digest), f"The manifest of package {known.digest[:12]}")
    files = {file.path: file.sha256 for file in manifest.files} | {MANIFEST: known.digest}
    bundle = sign_files(known.model, files, signer=signer)
    made = Signature(key=signer.public.id, digest=project.artifacts.put(bundle))
    return msgspec.structs.replace(known, signatures=(*known.signatures, made))


def merged(before: Package | None, package: Package) -> Package:
    """What both know of the same package; of what both have, the later."""
    if before is None:
        return package
    keys = {signature.key for signature in package.signatures}
    others = tuple(signature for signature in before.signatures if signature.key not in keys)
    return msgspec.structs.replace(
        package,
        run=before.run,
        created=before.created,
        report=package.report or before.report,
        sbom=package.sbom or before.sbom,
        card=package.card or before.card,
        provenance=package.provenance or before.provenance,
        trained=package.trained or before.trained,
        lock=package.lock or before.lock,
        unlocked="" if package.lock or before.lock else package.unlocked or before.unlocked,
        signatures=(*others, *package.signatures),
    )


def sign(project: Project, package: Package) -> Package:
    """Sign it with the key of this machine, on record; a repeat with the same key changes nothing."""
    done = signed(project, package)
    if done.signatures == package.signatures:
        return done
    made = done.signatures[-1]

    def save(facts: Facts) -> Package:
        found = merged(facts.packages.get(done.digest), done)
        facts.packages.put(found)
        facts.events.append(
            "package.signed", f"{done.model}@run/{done.run}", package=done.digest, key=made.key[:16]
        )
        return found

    return project.yard.once(fresh("sign"), project.actor, save, Package)
