#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Copies the named builds of ``cores/builds.toml`` into ``fusesoc.core``, as flags of its targets: ``fusesoc run --flag=small ...``.

``python scripts/core_builds.py`` rewrites the lines; ``--check`` only tells whether they are up to date (``make lint`` does that).
A build has a flag if it has a description. A target takes those parameters of a build that its list names: ``pynq_top`` has no stream
ports, so it does not know STREAM_BYTES.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "host"))

from tensorpress.device.builds import EngineBuild, engine_builds  # noqa: E402

CORE = ROOT / "fusesoc.core"
LIST = re.compile(r"(?m)^    parameters: &\w+\n((?:^      - .+\n)+)")
"""A list of parameters that targets share."""


def named_builds(root: Path = ROOT) -> list[EngineBuild]:
    """The builds that have a flag."""
    return [build for build in engine_builds(root).values() if build.description]


def with_flags(text: str, builds: Iterable[EngineBuild]) -> str:
    """Return the core file with these builds as flags, in place of those that it has."""
    builds = list(builds)

    def rewrite(found: re.Match[str]) -> str:
        lines = [line for line in found[1].splitlines() if "?" not in line]
        known = {line.split("- ", 1)[1] for line in lines}
        for build in builds:
            lines += [f'      - "{build.name}? ({name}={value})"' for name, value in build.parameters.items() if name in known]
        return found[0].removesuffix(found[1]) + "\n".join(lines) + "\n"

    return LIST.sub(rewrite, text)


def main() -> int:
    """Command line: see the module's text."""
    if sys.argv[1:] not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    old = CORE.read_text()
    new = with_flags(old, named_builds())
    if new == old:
        return 0
    if sys.argv[1:]:
        print("fusesoc.core does not have the builds of cores/builds.toml: python scripts/core_builds.py")
        return 1
    CORE.write_text(new)
    print("wrote fusesoc.core")
    return 0


if __name__ == "__main__":
    sys.exit(main())
