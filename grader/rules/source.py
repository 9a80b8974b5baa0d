"""The source layer: rules over the text of a submission, without running any of it."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from grader.assignment.assignment import Assignment, ExpectedFile, Rule
from grader.model import Violation
from grader.rules.files import Parsed, Place, SourceFile, parse_file, source_file
from grader.rules.imports import Imported, check_imports, imports
from grader.rules.mentions import Evasion, Mention, find
from grader.rules.names import forbidden_name, leads_to, matching
from grader.rules.reach import Examined, belongs, is_unfilled, reach
from grader.rules.resolve import Resolver, module_names
from grader.rules.scopes import walk
from grader.rules.signatures import check_signatures, given_interface
from grader.templates.interface import Definition

MOST = 12
"""Places of one rule that are listed; a file may break a rule on every line."""

_WRITERS = frozenset({"builtins.print", "sys.stdout.write", "sys.stderr.write", "sys.stdout.writelines", "os.write"})


@dataclass(frozen=True)
class PrintSite:
    """Where a file calls something that prints."""

    place: Place
    what: str


@dataclass(frozen=True)
class _Submission:
    assignment: Assignment
    parsed: Sequence[Parsed]
    examined: Sequence[Examined]
    imported: Mapping[str, Sequence[Imported]]
    resolver: Resolver
    template: Mapping[str, str]


def check_sources(
    assignment: Assignment, files: Mapping[str, SourceFile], template: Mapping[str, str]
) -> tuple[Violation, ...]:
    """The rules that a submission's text breaks.

    `files`: every file of the submission, expected ones with their id, the others with id "" (their keys do not
    matter). `template`: relative path → text of the student template, as `templates_of` gives it. Nothing is run, but
    parsing hostile text can take long: call this in an expendable process with a deadline. A rule of kind `prints` is
    decided when the code runs (`check_prints`). Raises AuthorError for a rule that cannot be understood.
    """
    submission = _read(assignment, tuple(files.values()), template)
    found: list[Violation] = []
    for rule in assignment.rules:
        found.extend(_limited(rule, dict.fromkeys(_CHECKS[rule.kind](submission, rule))))
    return tuple(found)


def print_sites(file: SourceFile, template: SourceFile | None = None) -> tuple[PrintSite, ...]:
    """Where a file prints, except below `if __name__ == "__main__"` and as its template does: for a note; what counts
    is what is printed."""
    given = {ast.dump(call) for call, _ in _prints(template)} if template else set()
    return tuple(site for call, site in _prints(file) if ast.dump(call) not in given)


def _prints(file: SourceFile) -> Iterator[tuple[ast.Call, PrintSite]]:
    walked = walk(parse_file(file))
    resolver = Resolver([walked])
    for visit in walked.visits:
        if isinstance(visit.node, ast.Call) and not visit.main:
            called = sorted(resolver.names(visit.node.func, visit.scope) & _WRITERS)
            yield from ((visit.node, PrintSite(visit.place, name.removeprefix("builtins."))) for name in called)


def _read(assignment: Assignment, files: Sequence[SourceFile], template: Mapping[str, str]) -> _Submission:
    parsed = [parse_file(file) for file in files]
    walks = [walk(entry) for entry in parsed]
    resolver = Resolver(walks)
    foreign = {path.stem for path in assignment.suite.glob("*.py")}
    examined = [Examined(walked, find(walked, resolver, foreign)) for walked in walks]
    imported = {walked.parsed.file.path: imports(walked) for walked in walks}
    return _Submission(assignment, parsed, examined, imported, resolver, template)


def given_interfaces(assignment: Assignment, template: Mapping[str, str]) -> dict[str, Mapping[str, Definition]]:
    """{file id: its public definitions in the template}. Read once in a process, and in those that it forks."""
    files = [file for file in assignment.files if file.path in template]
    return {file.id: given_interface(source_file(file.id, file.path, template[file.path])) for file in files}


def _limited(rule: Rule, found: Iterable[Violation]) -> Iterator[Violation]:
    listed = list(found)
    yield from listed[:MOST]
    if len(listed) > MOST:
        yield Violation(rule=rule.id, message=f"… and in {len(listed) - MOST} further places", parts=rule.parts)


# --- which files a rule looks at ---------------------------------------------------------------------------------


def _expected(submission: _Submission, rule: Rule) -> list[ExpectedFile]:
    return [file for file in submission.assignment.files if not rule.files or file.id in rule.files]


def _ruled(submission: _Submission, rule: Rule) -> list[Parsed]:
    ids = {file.id for file in _expected(submission, rule) if file.kind != "data"}
    return [parsed for parsed in submission.parsed if parsed.file.id in ids]


def _examined(submission: _Submission, rule: Rule) -> list[Examined]:
    """The rule's files, and the files nobody asked for that they import, directly or not."""
    paths = {parsed.file.path for parsed in _ruled(submission, rule)}
    extra = {name: entry for entry in submission.parsed if not entry.file.id for name in module_names(entry.file.path)}
    waiting = list(paths)
    while waiting:
        names = [name for imported in submission.imported[waiting.pop()] for name in imported.modules]
        new = {extra[name].file.path for name in names if name in extra} - paths
        paths |= new
        waiting.extend(sorted(new))
    return [examined for examined in submission.examined if examined.walked.parsed.file.path in paths]


def _unchecked(submission: _Submission, rule: Rule) -> Iterator[Violation]:
    """A file that nobody can look into does not keep a rule, nor does one that it imports."""
    ruled = _ruled(submission, rule)
    for parsed in [
        *ruled,
        *(entry.walked.parsed for entry in _examined(submission, rule) if not entry.walked.parsed.file.id),
    ]:
        if parsed.unchecked:
            yield Place(parsed.file.path).violation(rule.id, f"cannot be checked: {parsed.unchecked}", rule.parts)


def _inside(submission: _Submission, rule: Rule, files: Sequence[Examined]) -> set[int] | None:
    """What a rule is limited to, None if it holds for whole files."""
    return reach(rule.within, files, submission.resolver, submission.examined) if rule.within else None


# --- the kinds of rules ------------------------------------------------------------------------------------------


def _forbidden(submission: _Submission, rule: Rule) -> Iterator[Violation]:
    yield from _unchecked(submission, rule)
    files = _examined(submission, rule)
    inside = _inside(submission, rule, files)
    yield from _passed_off(submission, rule, files)
    for examined in submission.examined if inside is not None else files:
        named: set[Place] = set()
        for mention in examined.found.mentions:
            if inside is None or belongs(mention.visit, inside):
                for violation in _used(rule, mention):
                    named.add(mention.visit.place)
                    yield violation
        for evasion in examined.found.evasions:
            place = evasion.visit.place
            if place not in named and (inside is None or belongs(evasion.visit, inside)) and _concerns(rule, evasion):
                message = (
                    f"{evasion.what} can reach what “{rule.title}” forbids without naming it (reached dynamically)"
                )
                yield place.violation(rule.id, f"{message}. Write it plainly", rule.parts)


def _passed_off(submission: _Submission, rule: Rule, files: Sequence[Examined]) -> Iterator[Violation]:
    """A name that is to be written and is the library's own: `from torch.nn import LSTM`."""
    for examined in files:
        scope = examined.walked.scope
        for name in rule.within:
            bindings = scope.bindings.get(name, [])
            if bindings and bindings[-1].dotted is None:
                continue
            found = submission.resolver.bound(bindings[-1]) if bindings else submission.resolver.lookup(name, scope)
            for library in sorted(found):
                if forbidden_name(library, rule.names, rule.allowed):
                    message = f"`{name}` is `{library}`, which “{rule.title}” forbids. Write this part yourself"
                    yield Place(examined.walked.parsed.file.path).violation(rule.id, message, rule.parts)


def _used(rule: Rule, mention: Mention) -> Iterator[Violation]:
    wanted = forbidden_name(mention.name, rule.names, rule.allowed)
    if wanted is not None:
        how = ", reached dynamically" if mention.dynamic else ""
        same = "" if matching(mention.name, [wanted]) else f" (the inside of `{wanted}`)"
        message = f"uses `{mention.name}`{same}{how}, which “{rule.title}” forbids. Write this part yourself"
        yield mention.visit.place.violation(rule.id, message, rule.parts)


def _concerns(rule: Rule, evasion: Evasion) -> bool:
    if not rule.names or matching(evasion.name, rule.allowed) is not None:
        return False
    return evasion.base is None or leads_to(evasion.base, rule.names)


def _required(submission: _Submission, rule: Rule) -> Iterator[Violation]:
    yield from _unchecked(submission, rule)
    files = _examined(submission, rule)
    if not files or any(examined.walked.parsed.broken for examined in files if not rule.within):
        return
    inside = _inside(submission, rule, files)
    if inside == set() or is_unfilled(inside, files if inside is None else submission.examined):
        return
    looked = submission.examined if inside is not None else files
    found = [item for entry in looked for item in entry.found.mentions if inside is None or belongs(item.visit, inside)]
    hidden = [
        item for entry in looked for item in entry.found.evasions if inside is None or belongs(item.visit, inside)
    ]
    for name in rule.names:
        used = any(matching(mention.name, [name]) for mention in found)
        if not used and not any(_concerns(rule, evasion) for evasion in hidden):
            path = next(iter(files)).walked.parsed.file.path
            where = f" in {' and '.join(rule.within)}" if rule.within else ""
            message = f"`{name}` is not used{where}, and “{rule.title}” demands it"
            yield Place(path).violation(rule.id, message, rule.parts)


def _imports(submission: _Submission, rule: Rule) -> Iterator[Violation]:
    yield from _unchecked(submission, rule)
    files = {parsed.file: submission.imported[parsed.file.path] for parsed in _ruled(submission, rule)}
    yield from check_imports(submission.assignment, rule, files, submission.imported, submission.template)


def _runs(submission: _Submission, rule: Rule) -> Iterator[Violation]:
    yield from _unchecked(submission, rule)
    for parsed in _ruled(submission, rule):
        for broken in parsed.broken:
            message = f"Python cannot read this: {broken.message}. Correct it; nothing after it can run"
            yield broken.place.violation(rule.id, message, rule.parts)


def _signature(submission: _Submission, rule: Rule) -> Iterator[Violation]:
    given = given_interfaces(submission.assignment, submission.template)
    for expected in _expected(submission, rule):
        for parsed in submission.parsed:
            if parsed.file.id == expected.id and expected.id in given:
                yield from check_signatures(rule.id, rule.parts, parsed, given[expected.id], rule.allowed)


def _file_name(submission: _Submission, rule: Rule) -> Iterator[Violation]:
    for expected in _expected(submission, rule):
        for parsed in submission.parsed:
            path = parsed.file.path
            if parsed.file.id == expected.id and not _well_named(path, rule.names or (expected.path,)):
                # A pattern says nothing to a student; the rule's title does.
                wanted = f"fit “{rule.title}”" if rule.names else f"be called {expected.path}"
                yield Place(path).violation(rule.id, f"this file's name should {wanted}; rename it", rule.parts)


def _unexpected(submission: _Submission, rule: Rule) -> Iterator[Violation]:
    for parsed in submission.parsed:
        path = parsed.file.path
        if not parsed.file.id and not _well_named(path, (*rule.names, *rule.allowed)):
            user = _importer(submission, path)
            advice = f"move what {user} needs of it into that file" if user else "leave it out"
            yield Place(path).violation(rule.id, f"this file was not asked for; {advice}", rule.parts)


def _importer(submission: _Submission, path: str) -> str:
    """The expected file that imports the one at `path`; "" for none."""
    names = module_names(path)
    files = [parsed.file for parsed in submission.parsed if parsed.file.id]
    used = {file.path: {name for found in submission.imported[file.path] for name in found.modules} for file in files}
    return next((user for user, modules in used.items() if modules.intersection(names)), "")


def check_archive(assignment: Assignment, archive: str) -> tuple[Violation, ...]:
    """The rules of kind `archive_name` that the name of the handed-in archive breaks; "" when there was none.

    The message does not repeat the name: it may hold the id of a student.
    """
    return tuple(
        Violation(rule=rule.id, message=f"the archive's name does not fit “{rule.title}”; rename it, then hand it in")
        for rule in assignment.rules
        if rule.kind == "archive_name" and archive and not _well_named(archive, rule.names)
    )


def _decided_elsewhere(submission: _Submission, rule: Rule) -> Iterator[Violation]:
    """The archive's name is known to intake only (`check_archive`)."""
    return iter(())


def _decided_at_run_time(submission: _Submission, rule: Rule) -> Iterator[Violation]:
    yield from ()


def _well_named(path: str, patterns: Sequence[str]) -> bool:
    """Whether a path fits one of the patterns, which are shell patterns (`hw3_*.ipynb`) or regular expressions.

    A pattern is compared with the path and with its end; a folder around everything is no fault.
    """
    ends = [path[start:] for start in (0, *(place + 1 for place, letter in enumerate(path) if letter == "/"))]
    return any(fnmatchcase(end, pattern) or _fits(end, pattern) for pattern in patterns for end in ends)


def _fits(name: str, expression: str) -> bool:
    try:
        return re.fullmatch(expression, name) is not None
    except re.error:
        return False


_CHECKS: Mapping[str, Callable[[_Submission, Rule], Iterator[Violation]]] = {
    "imports": _imports,
    "forbidden": _forbidden,
    "required": _required,
    "prints": _decided_at_run_time,
    "runs": _runs,
    "signature": _signature,
    "file_name": _file_name,
    "archive_name": _decided_elsewhere,
    "unexpected_file": _unexpected,
}
