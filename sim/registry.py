"""Extension points: modules found by file name in the package, in plugin folders and in installed packages.

A new robot, object family, catalogue group or predicate is one new file. Outside the package it stands in a plugin
folder laid out as `sim` is: `robots/*.py`, `objects/*.py`, `catalogue/*.py`, `predicates/*.py`. Plugin folders are
named by the environment variable AIM_PLUGINS (several of them as in PATH), which worker processes inherit;
an installed package of that layout declares itself by an entry point of the group "aim.plugins".

A file that cannot be imported is left out and listed by `list_import_errors`; asked for by name it is a `SpecError`.
Files whose names begin with "_" are helpers of their neighbours.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import importlib.util
import os
import pkgutil
import sys
import traceback
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar

from sim.task.spec import SpecError
from sim.types import UserError

PLUGINS_VARIABLE = "AIM_PLUGINS"
ENTRY_POINT_GROUP = "aim.plugins"
PLUGIN_FOLDERS = ("robots", "objects", "catalogue", "predicates")  # what a plugin folder may hold

AttributeT = TypeVar("AttributeT")
FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


@dataclass(frozen=True)
class ModuleFile:
    """A module found by its file: `name` as its file is called, the dotted name that it is imported under, its path."""

    name: str
    module_name: str
    path: str

    @property
    def is_builtin(self) -> bool:
        """Whether the module is the project's own."""
        return self.module_name.partition(".")[0] == __name__.partition(".")[0]


class ModuleRegistry:
    """Modules of one kind: those of a package of ours, then those of `FOLDER/*.py` in plugin folders and packages."""

    def __init__(self, kind: str, folder: str, package: str = "") -> None:
        self.kind, self.folder, self.package = kind, folder, package

    def list_names(self) -> tuple[str, ...]:
        """File names of all modules, sorted; nothing is imported."""
        return tuple(sorted({file.name for file in self.find_files()}))

    def find_files(self) -> list[ModuleFile]:
        """Files of all modules in the order of import; `UserError` where AIM_PLUGINS names no folder."""
        packages = (*((self.package,) if self.package else ()), *_find_plugin_packages(self.folder))
        return [file for package in packages for file in _list_module_files(package)]

    def load_attribute(self, name: str, attribute: str, value_type: type[AttributeT]) -> AttributeT:
        """Value of `attribute` in the module called `name`.

        `UserError` names the modules there are; `SpecError` says with file and line why one has no such value.
        """
        resolve_name(self.kind, name, self.list_names())
        first, *others = (file for file in self.find_files() if file.name == name)
        if others:
            raise UserError(f"{self.kind} {name!r} is defined twice: {first.path}, {others[0].path}; rename one file")
        return get_attribute(first, import_module_file(first), attribute, value_type)

    def load_modules(self) -> dict[ModuleFile, ModuleType]:
        """All modules that can be imported; the errors of the others are kept for `list_import_errors`."""
        loaded = {}
        for file in self.find_files():
            try:
                loaded[file] = import_module_file(file)
                _import_errors.pop(file.module_name, None)
            except SpecError as error:
                keep_import_error(file, error)
        return loaded

    def load_attributes(self, attribute: str, value_type: type[AttributeT]) -> dict[ModuleFile, AttributeT]:
        """Values of `attribute` in all modules that can be imported and have it; errors are kept as above."""
        loaded = {}
        for file, module in self.load_modules().items():
            try:
                loaded[file] = get_attribute(file, module, attribute, value_type)
            except SpecError as error:
                keep_import_error(file, error)
        return loaded


class FunctionRegistry(Mapping[str, FunctionT], Generic[FunctionT]):
    """Functions by name, each registered with a decorator by a module of its kind; modules are imported when needed."""

    def __init__(self, kind: str, folder: str, package: str = "") -> None:
        self.modules = ModuleRegistry(kind, folder, package)
        self._registered: dict[str, dict[str, FunctionT]] = {}  # module name -> function name -> function
        self._visible: dict[str, FunctionT] = {}
        self._visible_key: str | None = None  # the plugin folders that `_visible` was made for; None: to be made anew

    def register(self, function: FunctionT) -> FunctionT:
        """Register a function under its own name, as a decorator."""
        self._registered.setdefault(function.__module__, {})[function.__name__] = function
        self._visible_key = None
        return function

    def __getitem__(self, name: str) -> FunctionT:
        return self._get_visible()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._get_visible())

    def __len__(self) -> int:
        return len(self._get_visible())

    def find(self, name: str) -> FunctionT:
        """The function called `name`; `SpecError` names those there are and the files that were left out."""
        try:
            resolve_name(self.modules.kind, name, sorted(self))
        except UserError as error:
            raise SpecError("; left out: ".join((str(error), *list_import_errors()))) from error
        return self[name]

    def _get_visible(self) -> dict[str, FunctionT]:
        """Functions of the package and of the plugins that are present now."""
        key = get_plugins_key()
        if key != self._visible_key:
            files = {file.module_name for file in self.modules.find_files()}
            loaded = {file.module_name for file in self.modules.load_modules()}
            hidden = {name for name in self._registered if name in files or _is_plugin_module(name)} - loaded
            self._visible, self._visible_key = self._merge(hidden), key
        return self._visible

    def _merge(self, hidden: set[str]) -> dict[str, FunctionT]:
        """Functions by name. A name that a later module takes stays the earlier one's, with an error for the later."""
        merged: dict[str, FunctionT] = {}
        for module_name in sorted(self._registered.keys() - hidden, key=lambda name: (_is_plugin_module(name), name)):
            for name, function in self._registered[module_name].items():
                if name in merged:
                    code = function.__code__
                    message = f"{self.modules.kind} {name!r} is already defined in {merged[name].__code__.co_filename}"
                    _import_errors[module_name] = f"{code.co_filename}:{code.co_firstlineno}: {message}"
                else:
                    merged[name] = function
        return merged


_folder_packages: set[str] = set()  # packages that stand for plugin folders
_import_errors: dict[str, str] = {}  # dotted name of a module -> what is wrong with it


def list_import_errors() -> tuple[str, ...]:
    """What is wrong with the files that were left out, "path:line: error" each, those of present plugins alone."""
    if not _import_errors:
        return ()
    present = [package for folder in PLUGIN_FOLDERS for package in _find_plugin_packages(folder)]
    return tuple(
        message
        for module_name, message in _import_errors.items()
        if not _is_plugin_module(module_name) or module_name.rpartition(".")[0] in present
    )


def keep_import_error(file: ModuleFile, error: SpecError) -> None:
    """Remember why a file was left out."""
    _import_errors[file.module_name] = str(error)


def get_attribute(file: ModuleFile, module: ModuleType, attribute: str, value_type: type[AttributeT]) -> AttributeT:
    """Value of `attribute` in an imported module; `SpecError` where it is missing or of another type."""
    value = vars(module).get(attribute)
    if not isinstance(value, value_type):
        raise SpecError(f"{file.path}: the file has no {attribute} = {value_type.__name__}(...)")
    return value


def import_module_file(file: ModuleFile) -> ModuleType:
    """Import a module; `SpecError` "path:line: error" where that fails."""
    try:
        return importlib.import_module(file.module_name)
    except Exception as error:  # the author of a plugin may raise anything; no one else's work may end by it
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file.path]
        line = error.lineno if isinstance(error, SyntaxError) and error.filename == file.path else None
        line = line or (frames[-1].lineno if frames else None)
        reason = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        raise SpecError(f"{file.path}:{line}: {reason}" if line else f"{file.path}: {reason}") from error


def list_module_names(path: Iterable[str]) -> tuple[str, ...]:
    """Names of the modules in a package's folders, sorted."""
    return tuple(sorted(info.name for info in pkgutil.iter_modules(path)))


def resolve_name(kind: str, name: str, valid_names: Sequence[str]) -> str:
    """`name` itself where it is valid; else `UserError` that names the valid ones."""
    if name in valid_names:
        return name
    close_matches = difflib.get_close_matches(name, valid_names, n=1)
    hint = f"did you mean {close_matches[0]!r}? " if close_matches else ""
    raise UserError(f"unknown {kind} {name!r}; {hint}valid: {', '.join(valid_names)}")


def get_plugins_key() -> str:
    """The value of AIM_PLUGINS: what is found with one value of it stays as it is."""
    return os.environ.get(PLUGINS_VARIABLE, "")


def check_plugin_folder(folder: Path) -> Path:
    """The absolute path of a plugin folder; `UserError` where it is no folder or holds nothing that a plugin may."""
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}; a plugin folder holds {_list_subfolders()}")
    if not any((folder / name).is_dir() for name in PLUGIN_FOLDERS):
        raise UserError(f"{folder} holds none of {_list_subfolders()}: it is no plugin folder")
    return folder.resolve()


def _list_subfolders() -> str:
    return ", ".join(f"{name}/" for name in PLUGIN_FOLDERS)


def _find_plugin_packages(folder: str) -> list[str]:
    """Dotted names of the packages called `folder` in plugin folders and in installed packages."""
    roots = [_mount_plugin_folder(Path(path)) for path in get_plugins_key().split(os.pathsep) if path]
    return [f"{root}.{folder}" for root in (*roots, *_list_entry_point_packages())]


def _mount_plugin_folder(folder: Path) -> str:
    """Name of the package that stands for a plugin folder; its files are imported as submodules of it."""
    path = str(check_plugin_folder(folder))
    name = f"aim_plugins_{zlib.crc32(path.encode()):08x}"
    if name not in _folder_packages:
        package = ModuleType(name, f"The plugin folder {path}.")
        package.__path__ = [path]
        sys.modules[name] = package
        _folder_packages.add(name)
    return name


def _is_plugin_module(module_name: str) -> bool:
    """Whether a module is of a plugin folder, present or not."""
    return module_name.partition(".")[0] in _folder_packages


@functools.cache
def _list_entry_point_packages() -> tuple[str, ...]:
    """Packages that installed distributions declare as plugins, sorted."""
    import importlib.metadata  # slow to import, and not needed before

    return tuple(sorted({point.value for point in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP)}))


def _list_module_files(package: str) -> list[ModuleFile]:
    """Files of the modules of a package, sorted; none where there is no such package."""
    importlib.invalidate_caches()  # a file may be newer than the last look
    try:
        spec = importlib.util.find_spec(package)
    except Exception as error:  # it imports the packages above, which may be anybody's
        _import_errors[package] = f"{package}: {type(error).__name__}: {error}"
        return []
    found = [
        (info.name, Path(location, info.name, "__init__.py") if info.ispkg else Path(location, f"{info.name}.py"))
        for location in (spec.submodule_search_locations or () if spec else ())
        for info in pkgutil.iter_modules([location])
    ]
    return [ModuleFile(name, f"{package}.{name}", str(path)) for name, path in sorted(found) if name[0] != "_"]
