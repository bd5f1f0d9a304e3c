# SPDX-License-Identifier: Apache-2.0
"""Formatting, licence lines, and clang-tidy: over changed files, or over all where CI=true."""

import concurrent.futures
import json
import os
import time

from suites.child import end_all, run
from suites.outcome import BUILD, ROOT, Case

FORMATTED = (".c", ".h", ".cpp", ".hpp")
# What can't hold a comment, is prose, or is a licence itself.
UNMARKED = (".md", ".json", ".svg", ".png")
UNMARKED_NAMES = ("LICENSE", ".gitignore", ".gitattributes", "packages")
SPDX_WITHIN_LINES = 3
# A session of its own is a group of its own to the scheduler, whose share is set apart from a process's niceness.
IDLE = ("sh", "-c", '(echo 19 > /proc/self/autogroup) 2>/dev/null; exec nice -n 19 "$0" "$@"')
# Of its memory clang-tidy gives much back to ask for it again: a sixth of its time.
KEEP_MEMORY = ("env", "GLIBC_TUNABLES=glibc.malloc.top_pad=268435456:glibc.malloc.trim_threshold=1073741824")
# Of processor time: beside suites that come first a file may wait for long.
TIDY_FILE_LIMIT = ("prlimit", "--cpu=200")
TIDY_LIMIT_S = 2400


def _git(*words):
    """Lines of a git command's output; empty if it fails."""
    done = run(["git", "-c", f"safe.directory={ROOT}", *words], 60, ROOT)
    return done.output.splitlines() if done.status == 0 else []


def _sources():
    listed = _git("ls-files", "--cached", "--others", "--exclude-standard")
    return [path for path in listed if (ROOT / path).is_file() and not (ROOT / path).is_symlink()]


def run_style():
    sources = _sources()
    if not sources:
        return [Case("style", f"git lists no files in {ROOT}")]
    return [_format(sources), _spdx(sources), *_tidy()]


def _format(sources):
    files = [path for path in sources if path.endswith(FORMATTED)]
    done = run(["clang-format", "--dry-run", "-Werror", *files], 300, ROOT)
    return Case(f"clang-format over {len(files)} files", "" if done.status == 0 else
                f"{done.tail(40)}\nrun clang-format -i on them")


def _spdx(sources):
    files = [path for path in sources if not path.endswith(UNMARKED) and not path.startswith(("LICENSES/", "tests/fuzz/corpus/"))
             and os.path.basename(path) not in UNMARKED_NAMES]
    bare = []
    for path in files:
        head = (ROOT / path).read_text(errors="replace").splitlines()[:SPDX_WITHIN_LINES]
        if not any("SPDX-License-Identifier:" in line for line in head):
            bare.append(path)
    return Case(f"SPDX line in {len(files)} files", bool(bare) * ("without one: " + " ".join(bare)))


def _changed():
    """What differs from the upstream branch, or from the last commit where there is none."""
    base = _git("merge-base", "HEAD", "@{upstream}") or ["HEAD"]
    return set(_git("diff", "--name-only", base[0])) | set(_git("ls-files", "--others", "--exclude-standard"))


def _tidy():
    compiled = {os.path.relpath(entry["file"], ROOT)
                for entry in json.loads((BUILD / "compile_commands.json").read_text())}
    everything = os.environ.get("CI") == "true"
    files = sorted(path for path in (compiled if everything else compiled & _changed())
                   if not path.startswith(("build", "..")))
    deadline = time.monotonic() + TIDY_LIMIT_S
    pool = concurrent.futures.ThreadPoolExecutor(os.cpu_count())
    try:
        return list(pool.map(lambda path: _tidy_one(path, deadline), files))
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        end_all()
        raise
    finally:
        pool.shutdown()


def _tidy_one(path, deadline):
    name = f"clang-tidy {path}"
    left = deadline - time.monotonic()
    if left <= 0:
        return Case(name, f"did not run: clang-tidy took over {TIDY_LIMIT_S} s in all")
    # What clang would warn of is not asked for here: gcc compiles the code, with its own warnings as errors.
    done = run([*IDLE, *TIDY_FILE_LIMIT, *KEEP_MEMORY, "clang-tidy", "-p", BUILD, "--quiet", "--extra-arg=-Wno-error",
                "--extra-arg=-Wno-unknown-warning-option", path], left, ROOT)
    if done.status is None:
        return Case(name, f"not done after {left:.0f} s")
    return Case(name, "" if done.status == 0 else f"exit status {done.status}\n{done.tail(60)}")
