"""Fuzzing of the targets with atheris: `python tests/fuzz/fuzz.py [--seconds N] [TARGET …]`.

Each target has a process and grows a corpus in `build/fuzz/`. An input that fails is kept there as `crash-…`; once its fault is
mended it belongs into `corpus/`.
"""

import argparse
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))


def main() -> int:
    """Fuzz the targets one after the other, each for its share of the time; return 1 when one of them failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=300, help="of all targets together [300]")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    options = parser.parse_args()
    if options.inside:
        return _fuzz(options.targets[0], options.seconds)
    from tests.fuzz.targets import TARGETS  # noqa: PLC0415 - the processes below have to instrument it first

    chosen = options.targets or list(TARGETS)
    share = max(1, options.seconds // len(chosen))
    command = [sys.executable, __file__, "--inside", "--seconds", str(share)]
    return max(min(1, subprocess.run([*command, target], check=False).returncode) for target in chosen)


def _fuzz(target: str, seconds: int) -> int:
    import atheris  # noqa: PLC0415 - only `make fuzz` installs it

    with atheris.instrument_imports(include=["contact_sync"]):
        import contact_sync.source as readers  # noqa: PLC0415 - see above
        from tests.fuzz.targets import TARGETS  # noqa: PLC0415 - see above

        for _finder, name, _is_package in pkgutil.walk_packages(readers.__path__, f"{readers.__name__}."):
            importlib.import_module(name)  # a reader is imported when it is first used, which would be too late
    grown = ROOT / "build" / "fuzz" / target
    grown.mkdir(parents=True, exist_ok=True)
    limits = [f"-max_total_time={seconds}", "-timeout=30", "-rss_limit_mb=1024", "-max_len=20000", "-print_final_stats=1"]
    folders = [str(grown), str(Path(__file__).parent / "corpus" / target)]
    atheris.Setup([target, *limits, f"-artifact_prefix={grown.parent}/{target}-", *folders], TARGETS[target])
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
