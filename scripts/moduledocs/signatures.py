"""How a class or function is written where it is used."""

import ast
import sys
from collections.abc import Container

from moduledocs.sources import Definition, Function, Module

LINE_MAX = 100
"""A longer signature has one parameter a line."""


def written(module: Module, node: ast.expr) -> str:
    """An expression as it stands in the source, on one line."""
    return " ".join(module.segment(node).split())


def type_of(module: Module, node: ast.expr) -> str:
    """A type, without the quotes around what is defined further below."""
    found = written(module, node)
    return found if "Literal[" in found else found.replace('"', "")


def parameters(module: Module, function: Function, *, is_method: bool) -> list[str]:
    """What stands between the parentheses, without `self`."""
    found = function.args
    plain = [*found.posonlyargs, *found.args]
    defaults = [None] * (len(plain) - len(found.defaults)) + list(found.defaults)
    parts = [parameter(module, arg, default) for arg, default in zip(plain, defaults, strict=True)]
    if found.posonlyargs:
        parts.insert(len(found.posonlyargs), "/")
    if is_method and parts:
        del parts[0]
    if found.vararg:
        parts.append("*" + parameter(module, found.vararg, None))
    elif found.kwonlyargs:
        parts.append("*")
    named = zip(found.kwonlyargs, found.kw_defaults, strict=True)
    parts += [parameter(module, arg, default) for arg, default in named]
    if found.kwarg:
        parts.append("**" + parameter(module, found.kwarg, None))
    return parts


def parameter(module: Module, arg: ast.arg, default: ast.expr | None) -> str:
    """One parameter: `shield: bool = False`."""
    name = f"{arg.arg}: {type_of(module, arg.annotation)}" if arg.annotation else arg.arg
    if default is None:
        return name
    return f"{name}{' = ' if arg.annotation else '='}{written(module, default)}"


def joined(name: str, parts: list[str], result: str = "", line_max: int = LINE_MAX) -> str:
    """name(parts)result, broken where it is long."""
    line = f"{name}({', '.join(parts)}){result}"
    if len(line) <= line_max or not parts:
        return line
    return "\n".join((f"{name}(", *(f"    {part}," for part in parts), f"){result}"))


def of_function(module: Module, function: Function, name: str, line_max: int = LINE_MAX) -> str:
    """A function under the name by which it is handed on."""
    kind = "async def " if isinstance(function, ast.AsyncFunctionDef) else "def "
    parts = parameters(module, function, is_method=False)
    return joined(kind + name, parts, result_of(module, function), line_max)


def of_method(module: Module, function: Function, owner: str) -> str:
    """A method, on one line."""
    decorators = {ast.unparse(decorator) for decorator in function.decorator_list}
    is_async = isinstance(function, ast.AsyncFunctionDef)
    of_class = bool(decorators & {"classmethod", "staticmethod"})
    name = f"{'async ' if is_async else ''}{owner + '.' if of_class else ''}{function.name}"
    parts = parameters(module, function, is_method="staticmethod" not in decorators)
    return joined(name, parts, result_of(module, function), sys.maxsize)


def result_of(module: Module, function: Function) -> str:
    """What it returns."""
    return f" -> {type_of(module, function.returns)}" if function.returns else ""


def of_class(module: Module, node: ast.ClassDef, name: str, internal: Container[str]) -> str:
    """How an instance is made, or for what none is made of (a protocol, an error, what others make): of what
    it is one, but for bases that are internal."""
    init = next((each for each in node.body if isinstance(each, Function) and each.name == "__init__"), None)
    bases = [written(module, base) for base in node.bases]
    if init is not None:
        of = next((base.removeprefix("Generic") for base in bases if base.startswith("Generic[")), "")
        return joined(name + of, parameters(module, init, is_method=True))
    if is_record(node) and (has_fields(node) or bases[0].startswith("SystemCall")):
        return joined(name, fields(module, node))
    if not bases:
        return f"{name}()"
    shown = [base for base in bases if base.partition("[")[0] not in internal]
    return f"class {name}({', '.join(shown)})" if shown else f"class {name}"


def fields(module: Module, node: ast.ClassDef) -> list[str]:
    """The fields of a record, as parameters."""
    found = []
    for each in node.body:
        if isinstance(each, ast.AnnAssign):
            default = f" = {written(module, each.value)}" if each.value else ""
            found.append(f"{ast.unparse(each.target)}: {type_of(module, each.annotation)}{default}")
    return found


def has_fields(node: ast.ClassDef) -> bool:
    """Whether it names fields of its own, and not only those of its base."""
    return any(isinstance(each, ast.AnnAssign) for each in node.body)


def is_record(node: ast.ClassDef) -> bool:
    """Whether its fields are what an instance is made of: a `msgspec.Struct`, such as every system call."""
    bases = {base.partition("[")[0].rpartition(".")[2] for base in map(ast.unparse, node.bases)}
    return any(keyword.arg == "frozen" for keyword in node.keywords) or "Struct" in bases


def decorators(node: Definition) -> list[str]:
    """The decorators that change how it is used."""
    return [f"@{name}" for each in node.decorator_list if (name := ast.unparse(each)) == "contextmanager"]
