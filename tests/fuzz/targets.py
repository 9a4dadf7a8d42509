"""Every parser of input from outside, by name."""

from collections.abc import Mapping
from types import MappingProxyType

from tests.fuzz import local_lines, recorded_files, sandbox_face, venue_frames, venue_rest
from tests.fuzz.target import Target

TARGETS: Mapping[str, Target] = MappingProxyType(
    {
        target.name: target
        for module in (venue_rest, venue_frames, sandbox_face, recorded_files, local_lines)
        for target in module.TARGETS
    }
)
