"""Packages of Debian for any architecture, by an apt whose state is its own.

Mirrors, keys and proxies are those of this machine's apt, so that none stands in the source. apt checks the signatures
of the archive and the digests of what it downloads.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lucid.base.errors import Unavailable
from lucid.deploy.images.process import run

ARCHIVE_SUITE = re.compile(r"(?P<release>[a-z]+)(?P<pocket>-updates|-security)?$")
_FIRST_FIELD = "Package: "
RELEASES = frozenset({"bookworm", "trixie", "forky", "stable", "testing", "sid"})


@dataclass(frozen=True)
class Source:
    """A line of apt's sources: where a pocket (`""`, `-updates`, `-security`) of the archive is."""

    uri: str
    pocket: str
    key: str

    def line(self, release: str) -> str:
        signed = f"[signed-by={self.key}] " if self.key else ""
        return f"deb {signed}{self.uri} {release}{self.pocket} main"


def parse_stanzas(text: str) -> Iterator[dict[str, str]]:
    """The stanzas of a deb822 text. Lines that go on are joined with a space; comments are left out."""
    for block in re.split(r"\n\s*\n", text):
        fields: dict[str, str] = {}
        name = ""
        for line in block.splitlines():
            if line.startswith("#"):
                continue
            if line[:1].isspace() and name:
                fields[name] = f"{fields[name]} {line.strip()}".strip()
            elif ":" in line:
                name, _, value = line.partition(":")
                fields[name] = value.strip()
        if fields:
            yield fields


def _of_stanzas(text: str) -> Iterator[tuple[str, str, str]]:
    for stanza in parse_stanzas(text):
        if "deb" not in stanza.get("Types", "").split() or stanza.get("Enabled", "yes").lower() == "no":
            continue
        for uri in stanza.get("URIs", "").split():
            for suite in stanza.get("Suites", "").split():
                yield uri, suite, stanza.get("Signed-By", "")


def _of_lines(text: str) -> Iterator[tuple[str, str, str]]:
    for line in text.splitlines():
        if found := re.match(r"deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)", line):
            key = re.search(r"signed-by=(\S+)", found["options"] or "")
            yield found["uri"], found["suite"], key[1] if key else ""


def sources(folder: Path = Path("/etc/apt")) -> tuple[Source, ...]:
    """Where this machine finds Debian's archive. Raises Unavailable when it does not."""
    entries: list[tuple[str, str, str]] = []
    for path in sorted(folder.glob("sources.list.d/*.sources")):
        entries += _of_stanzas(path.read_text())
    for path in (folder / "sources.list", *sorted(folder.glob("sources.list.d/*.list"))):
        if path.is_file():
            entries += _of_lines(path.read_text())
    found: dict[Source, None] = {}
    for uri, suite, key in entries:
        match = ARCHIVE_SUITE.match(suite)
        if match and match["release"] in RELEASES:
            found[Source(uri, match["pocket"] or "", key)] = None
    if not found:
        raise Unavailable("apt of this machine knows no archive of Debian: images are assembled on Debian 12 or newer")
    return tuple(found)


class Apt:
    """apt for one release and architecture, with its state in `folder`."""

    def __init__(self, folder: Path, release: str, arch: str) -> None:
        self._folder = folder
        self._release = release
        self._arch = arch
        self._stanzas: dict[str, str] = {}
        self._environment = {"APT_CONFIG": str(folder / "apt.conf")}

    def update(self) -> None:
        """Read what the archive holds today. Raises Unavailable."""
        self._stanzas = {}
        for name in ("lists/partial", "cache/archives/partial", "debs"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        (self._folder / "status").write_text("")
        self.source_list.write_text("".join(f"{source.line(self._release)}\n" for source in sources()))
        (self._folder / "apt.conf").write_text(
            f'APT::Architecture "{self._arch}";\n'
            f'APT::Architectures {{"{self._arch}";}};\n'
            f'Dir::State "{self._folder}";\n'
            f'Dir::State::lists "{self._folder / "lists"}";\n'
            f'Dir::State::status "{self._folder / "status"}";\n'
            f'Dir::Cache "{self._folder / "cache"}";\n'
            f'Dir::Etc::sourcelist "{self.source_list}";\n'
            'Dir::Etc::sourceparts "/dev/null";\n'
            'Dir::Etc::preferences "/dev/null";\n'
            'Dir::Etc::preferencesparts "/dev/null";\n'
            'Acquire::Languages "none";\n'
            'APT::Sandbox::User "root";\n'  # the state is in a folder that the user _apt may not enter
        )
        self._run("apt-get", "update", "--quiet", "--quiet", "--error-on=any")

    @property
    def source_list(self) -> Path:
        return self._folder / "sources.list"

    def closure(self, wanted: Iterable[str], dropped: frozenset[str]) -> tuple[str, ...]:
        """The packages with all that they need, by name. Raises Unavailable for what the archive does not have."""
        found: dict[str, Mapping[str, str]] = {}
        level = sorted(set(wanted))
        while level:
            known = self._show(level)
            if missing := [name for name in level if name not in known]:
                raise Unavailable(f"Debian {self._release} has no package {', '.join(missing)} for {self._arch}")
            found |= known
            needed = {name for control in known.values() for name in self._needed(control, dropped)}
            level = sorted(needed - found.keys())
        return tuple(sorted(found))

    def _needed(self, control: Mapping[str, str], dropped: frozenset[str]) -> Iterator[str]:
        """Of alternatives the first one, as apt does, unless one of them is dropped."""
        relations = ", ".join(control[name] for name in ("Pre-Depends", "Depends") if control.get(name))
        for relation in filter(None, relations.split(", ")):
            names = [re.split(r"[ :(]", choice.strip(), maxsplit=1)[0] for choice in relation.split("|")]
            if not dropped.intersection(names):
                yield names[0]

    def _show(self, names: Sequence[str]) -> dict[str, dict[str, str]]:
        """What the archive says of those of the packages that it has."""
        if not self._stanzas:
            text = self._run("apt-cache", "dumpavail")
            found = (stanza for stanza in text.split("\n\n") if stanza.startswith(_FIRST_FIELD))
            self._stanzas = {stanza[len(_FIRST_FIELD) :].partition("\n")[0]: stanza for stanza in found}
        return {name: next(parse_stanzas(self._stanzas[name])) for name in names if name in self._stanzas}

    def download(self, names: Sequence[str]) -> tuple[Path, ...]:
        """The package files, in the order of their names. What was downloaded before and has not changed is kept."""
        debs = self._folder / "debs"
        versions = {name: control["Filename"].rsplit("/", 1)[1] for name, control in self._show(names).items()}
        self._run("apt-get", "download", "--quiet", "--quiet", *names, cwd=debs)
        return tuple(self._file(debs, name, versions[name]) for name in sorted(names))

    def _file(self, debs: Path, name: str, archived: str) -> Path:
        """apt writes the epoch of a version into the file's name, where the archive leaves it out."""
        _, version, arch = archived.removesuffix(".deb").split("_")
        for path in (debs / archived, *sorted(debs.glob(f"{name}_*%3a{version}_{arch}.deb"))):
            if path.is_file():
                return path
        raise Unavailable(f"apt did not download {archived}")

    def _run(self, *argv: str, cwd: Path | None = None) -> str:
        about = f"packages of Debian {self._release} for {self._arch}"
        return run(argv, about=about, cwd=cwd, environment=self._environment)
