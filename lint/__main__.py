"""`python -m lint FOLDER...`: prints what breaks a rule, one finding a line; exits 1 if there is any."""

import sys
from pathlib import Path, PurePosixPath

from lint.rules import findings


def main(folders: list[str]) -> int:
    found = [
        finding
        for folder in folders
        for path in sorted(Path(folder).rglob("*.py"))
        for finding in findings(PurePosixPath(path.as_posix()), path.read_text(encoding="utf-8"))
    ]
    for finding in found:
        print(finding)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
