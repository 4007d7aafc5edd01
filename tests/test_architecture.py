"""The rooms of the package may import one another only as the plan says, never in a circle; the stages reach the world through ports."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "qavix_watch"

ALLOWED = {
    "errors": set(),
    "core": {"errors"},
    "config": {"core", "errors"},
    "journal": set(),
    "logs": {"core", "errors", "journal"},
    "demo": set(),
    "ports": {"core", "errors"},
    "system": {"core", "errors"},
    "places": {"core", "config", "fs", "errors"},
    "waking": set(),
    "fs": {"core", "errors"},
    "api": {"core", "errors"},
    "store": {"core", "errors"},
    "stages": {"core", "ports", "errors"},
    "worker": {"stages", "ports", "core", "errors"},
    "engine": {"worker", "stages", "ports", "core", "errors"},
    "web": {"core", "store", "errors"},
    "sandbox": set(),
}
ALLOWED["supervision"] = set()
ALLOWED["serving"] = set(ALLOWED) - {"sandbox", "supervision"}
ALLOWED["process"] = {"serving", "supervision", "config", "core", "errors"}
ALLOWED["app"] = set(ALLOWED) - {"sandbox"}
ALLOWED["errand"] = ALLOWED["app"] | {"app"}
ALLOWED["cli"] = set(ALLOWED) | {"app"}

BANNED_IN_STAGES = {
    "time", "uuid", "random", "secrets", "threading", "os", "shutil", "pathlib", "tempfile", "sqlite3", "socket", "subprocess", "httpx",
    "concurrent", "multiprocessing", "io",
}
ASYNCIO_ALLOWED = {"sleep", "Event", "Queue", "wait_for", "timeout", "TaskGroup", "Task", "create_task", "wait"}

FILES = sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[0]


def imported(tree: ast.AST) -> list[str]:
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_what_the_table_allows(path):
    room = room_of(path)
    if room in {"__init__", "__main__"}:
        return
    ours = {name.split(".")[1] for name in imported(ast.parse(path.read_text())) if name.startswith("qavix_watch.")}
    ours -= {room, "__version__"}
    assert ours <= ALLOWED[room], f"{path.name} imports {ours - ALLOWED[room]}"


def test_every_room_is_in_the_table():
    rooms = {room_of(path) for path in FILES} - {"__init__", "__main__"}
    assert rooms <= set(ALLOWED)


def prefixes(target: str) -> list[str]:
    parts = target.split(".")
    return [".".join(parts[:length]) for length in range(len(parts), 0, -1)]


def modules() -> dict[str, set[str]]:
    graph = {}
    for path in FILES:
        parts = ("qavix_watch", *path.relative_to(PACKAGE).with_suffix("").parts)
        graph[".".join(parts).removesuffix(".__init__")] = path
    edges = {}
    for name, path in graph.items():
        tree = ast.parse(path.read_text())
        body = [node for node in tree.body if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test))]
        found = set()
        for target in imported(ast.Module(body=[node for node in body if isinstance(node, (ast.Import, ast.ImportFrom))], type_ignores=[])):
            known = next((part for part in prefixes(target) if part in graph), None)
            if known is not None and known != name and not name.startswith(known + "."):
                found.add(known)
        edges[name] = found
    return edges


def test_no_module_imports_itself_through_others():
    edges, done = modules(), set()

    def visit(name, trail):
        assert name not in trail, " → ".join([*trail[trail.index(name):], name])
        if name in done:
            return
        for target in edges[name]:
            visit(target, [*trail, name])
        done.add(name)

    for name in edges:
        visit(name, [])


WORLD_FREE = [path for path in FILES if room_of(path) in {"stages", "worker", "core"}]


@pytest.mark.parametrize("path", WORLD_FREE, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_stages_worker_and_core_touch_the_world_through_ports_alone(path):
    tree = ast.parse(path.read_text())
    tops = {name.split(".")[0] for name in imported(tree)}
    assert not tops & BANNED_IN_STAGES, f"{path.name} imports {tops & BANNED_IN_STAGES}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "asyncio":
            assert node.attr in ASYNCIO_ALLOWED, f"{path.name}:{node.lineno} uses asyncio.{node.attr}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "open", f"{path.name}:{node.lineno} opens a file"
        if isinstance(node, ast.ExceptHandler):
            caught = "BaseException" if node.type is None else ast.unparse(node.type)
            assert "BaseException" not in caught, f"{path.name}:{node.lineno} catches everything"
