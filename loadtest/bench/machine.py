"""A description of the machine that the figures come from, without its name."""

import os
import platform
import re
import shutil
import subprocess
from pathlib import Path


def describe(binary):
    """Pairs of what and value, for the head of a results page."""
    return [
        ("processor", f"{_processor()}, {os.cpu_count()} cores, {platform.machine()}"),
        ("memory", f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB, "
                   f"pages of {os.sysconf('SC_PAGE_SIZE') // 1024} KiB"),
        ("system", f"{_distribution()}, Linux {platform.release().split('-')[0]}"),
        ("versions", ", ".join(_versions(binary))),
    ]


def _processor():
    board = Path("/proc/device-tree/model")
    if board.exists():
        return board.read_text().rstrip("\0")
    found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return re.sub(r"\((R|TM)\)", "", found.group(1)) if found else "unknown"


def _distribution():
    return platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")


def _versions(binary):
    yield _first_line(str(binary), "--version")
    yield " ".join(_first_line("wrk", "--version").split()[:2])
    for command in (["rustc", "--version"], ["go", "version"], ["/usr/sbin/nginx", "-v"]):
        if shutil.which(command[0]):
            yield _first_line(*command)


def _first_line(*command):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    except FileNotFoundError:
        return f"{Path(command[0]).name} not here"
    return done.stdout.partition("\n")[0]
