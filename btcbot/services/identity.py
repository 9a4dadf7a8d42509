"""Who this process is: in its lock file, in its database, and towards whoever is refused because of it."""

from btcbot.domain.profiles import CommonProfile
from btcbot.persistence.sqlite.lock import ProcessIdentity
from btcbot.persistence.sqlite.writer import Writer
from btcbot.services.runtime import Runtime


def identity_of(common: CommonProfile, runtime: Runtime, build: str) -> ProcessIdentity:
    return ProcessIdentity.of_this_process(
        common.role, runtime.instance_id, common.deployment_id, build, common.config_hash, runtime.clock.now()
    )


def writer_of(common: CommonProfile, runtime: Runtime, build: str) -> Writer:
    return Writer(
        common.role,
        runtime.instance_id,
        common.config_hash,
        build,
        common.deployment_id,
        common.credentials.key.fingerprint(),
    )
