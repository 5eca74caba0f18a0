"""Names as numbers, so that arrays can hold them: 63 bits of a hash.

The probability that two of 10,000 names collide is 1e-11; a collision would give one revision the
other's forecast.
"""

from hashlib import blake2b

NO_NAME = 0  # no name has this number


def name_id(name: str) -> int:
    """The number of "namespace/name": 1 ... 2^63 - 1, always the same.

    >>> name_id("shop/cart") == name_id("shop/cart") != name_id("shop/card")
    True
    """
    digest = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return max(int.from_bytes(digest, "little") >> 1, 1)
