"""A contract for import-linter: a package may import what its row of the design names, and nothing else of btcbot.

import-linter's own kinds list what is forbidden, so a package added tomorrow would be allowed everywhere. This one
lists what is allowed.
"""

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class MayImportContract(Contract):
    """`modules` import directly only themselves, `allowed`, and the bare root package; all with what lies below them.

    `apart` are modules below `modules` that have a contract of their own: this one leaves them out.

    The root package itself holds nothing but the version. Indirect imports are allowed: a package answers for its own
    imports, and those it may import answer for theirs.
    """

    type_name = "may_import"

    modules = fields.ListField(subfield=fields.ModuleField())
    allowed = fields.ListField(subfield=fields.ModuleField(), required=False)
    apart = fields.ListField(subfield=fields.ModuleField(), required=False)

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        roots = tuple(self.session_options["root_packages"])
        modules, allowed, apart = (_parsed(field) for field in (self.modules, self.allowed, self.apart))
        for name in modules + allowed + apart:
            if name not in graph.modules:
                raise ValueError(f"Module '{name}' does not exist.")
        broken = [
            (importer, imported, details["line_number"])
            for importer in sorted(graph.modules)
            if _within(importer, modules) and not _within(importer, apart)
            for imported in sorted(graph.find_modules_directly_imported_by(importer))
            if _within(imported, roots) and imported not in roots and not _within(imported, modules + allowed)
            for details in graph.get_import_details(importer=importer, imported=imported)
        ]
        return ContractCheck(kept=not broken, metadata={"broken": broken})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for importer, imported, line in check.metadata["broken"]:
            output.print_error(f"{importer} may not import {imported} (l.{line})", bold=False)
        output.new_line()


def _parsed(field: object) -> tuple[str, ...]:
    """The names in a field: import-linter puts the parsed list, or None, where the class declares the field."""
    return tuple(module.name for module in field) if isinstance(field, list) else ()


def _within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)
