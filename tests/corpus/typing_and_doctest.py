# Types that are looked up at run time, and examples in docstrings that are tried.
# %%
import doctest
import typing
from typing import Generic, NamedTuple, Protocol, TypeVar


class Row(NamedTuple):
    name: "str"
    other: "typing.Optional[Row]" = None


T = TypeVar("T")


class Box(Generic[T]):
    item: T


class Sized(Protocol):
    def __len__(self) -> int: ...


typing.get_type_hints(Row), Box[int], Row("a"), T
# %%
number: int = 3
__annotations__


# %%
def twice(x):
    """Double it.

    >>> twice(2)
    4
    >>> twice("a")
    'wrong'
    """
    return 2 * x


doctest.testmod()
# %%
import unittest


class Try(unittest.TestCase):
    def test_good(self):
        self.assertEqual(twice(1), 2)


unittest.main(argv=["x"], exit=False, verbosity=0).result.wasSuccessful()
# %%
from functools import cache, singledispatch


@cache
def slow(x):
    return x


slow(1), slow(1), slow.cache_info()
