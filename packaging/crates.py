"""What the binary is linked with, as cargo knows it: shared by third-party and sbom."""
import json
import subprocess


def cargo(*arguments):
    return subprocess.run(["cargo", *arguments], check=True, capture_output=True, text=True).stdout


def linked(target):
    """Name and version of every crate in the binary; procedural macros and build scripts are not in it."""
    tree = cargo("tree", "--quiet", "--locked", "--prefix", "none", "--edges", "normal,no-proc-macro", "--target", target,
                 "--format", "{p}")
    found = {tuple(line.split()[:2]) for line in tree.splitlines() if line}
    return sorted((name, version.lstrip("v")) for name, version in found if name != "fastgo")


def metadata():
    """`cargo metadata`, with the packages by name and version."""
    found = json.loads(cargo("metadata", "--locked", "--format-version", "1"))
    found["packages"] = {(package["name"], package["version"]): package for package in found["packages"]}
    return found
