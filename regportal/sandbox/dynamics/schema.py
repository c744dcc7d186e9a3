"""What tables and columns are in Dataverse, as its metadata tells of them."""

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

LOOKUPS = frozenset({"Lookup", "Customer", "Owner"})
CHOICES = frozenset({"Picklist", "State", "Status", "Boolean"})
TEXTS = frozenset({"String", "Memo", "EntityName"})
NUMBERS = frozenset({"Integer", "BigInt", "Decimal", "Double", "Money"})


def new_id() -> str:
    """Return a new GUID."""
    return str(uuid.uuid4())


@dataclass(slots=True)
class Option:
    """One value of a choice."""

    value: int
    label: str
    external: str | None = None


@dataclass(slots=True)
class Column:
    """A column of a table."""

    name: str
    type: str
    schema: str = ""
    label: str = ""
    longest: int | None = None
    options: list[Option] = field(default_factory=list)
    navigations: dict[str, str] = field(default_factory=dict)
    """Of a lookup: by what it is bound → the table it leads to."""
    is_writable: bool = True
    is_custom: bool = False
    format: str | None = None
    low: float | None = None
    high: float | None = None
    precision: int | None = None
    required: str = "None"
    metadata_id: str = field(default_factory=new_id)

    @property
    def property(self) -> str:
        """Return by which name it is read: a lookup's is another one."""
        return f"_{self.name}_value" if self.type in LOOKUPS else self.name


@dataclass(slots=True)
class Key:
    """An alternate key."""

    name: str
    columns: tuple[str, ...]
    status: str = "Pending"
    """Of its index: it is made in the background."""
    metadata_id: str = field(default_factory=new_id)


@dataclass(slots=True)
class Table:
    """A table: its names, its columns and its alternate keys."""

    name: str
    entity_set: str
    title: str
    """The column by which people know a record."""
    code: int
    columns: dict[str, Column]
    schema: str = ""
    id: str = ""
    keys: list[Key] = field(default_factory=list)
    is_tracked: bool = True
    """Whether its changes can be asked for."""
    is_custom: bool = False
    metadata_id: str = field(default_factory=new_id)

    def __post_init__(self) -> None:
        """Give it the columns that all tables have."""
        self.id = self.id or f"{self.name}id"
        self.schema = self.schema or self.name.capitalize()
        self.columns = (
            {self.id: Column(self.id, "Uniqueidentifier")}
            | {one.name: one for one in columns_of(COMMON)}
            | self.columns
        )

    def by_property(self, name: str) -> Column | None:
        """Return the column that is read by a name."""
        if name.startswith("_") and name.endswith("_value"):
            name = name.removeprefix("_").removesuffix("_value")
            column = self.columns.get(name)
            return column if column is not None and column.type in LOOKUPS else None
        column = self.columns.get(name)
        return None if column is None or column.type in LOOKUPS else column

    def navigation(self, name: str) -> tuple[Column, str] | None:
        """Return the lookup that a navigation property binds, and the table it leads to."""
        for column in self.columns.values():
            if name in column.navigations:
                return column, column.navigations[name]
        return None


COMMON = """
createdon DateTime read-only
modifiedon DateTime read-only
createdby Lookup createdby:systemuser read-only
modifiedby Lookup modifiedby:systemuser read-only
ownerid Owner ownerid:systemuser
versionnumber BigInt read-only
"""


def columns_of(text: str) -> Iterator[Column]:
    """
    Yield the columns a text describes, one a line: name, type, and what there is to say of it.

    >>> (column,) = columns_of("statecode State 0=Open 1=Won")
    >>> column.type, [option.label for option in column.options]
    ('State', ['Open', 'Won'])
    >>> [*columns_of("customerid Customer customerid_account:account")][0].navigations
    {'customerid_account': 'account'}
    """
    for line in text.strip().splitlines():
        name, type_, *more = line.split()
        column = Column(name, type_, schema=name)
        for one in more:
            if one == "read-only":
                column.is_writable = False
            elif one.isdigit():
                column.longest = int(one)
            elif ":" in one:
                navigation, _, table = one.partition(":")
                column.navigations[navigation] = table
            else:
                value, _, label = one.partition("=")
                column.options.append(Option(int(value), label.replace("_", " ")))
        yield column


def tables_of(text: str) -> Iterator[Table]:
    r"""
    Yield the tables a text describes: a line with names and code, then its columns, moved in.

    >>> (one,) = tables_of("task tasks subject 4212 activityid\n  subject String 200")
    >>> one.entity_set, one.id, one.columns["subject"].longest
    ('tasks', 'activityid', 200)
    """
    for block in re.split(r"\n(?=\S)", text.strip()):
        head, _, columns = block.partition("\n")
        name, entity_set, title, code, *id = head.split()
        found = {one.name: one for one in columns_of(columns)} if columns else {}
        yield Table(name, entity_set, title, int(code), found, id="".join(id))
