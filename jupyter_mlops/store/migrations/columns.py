"""Types of columns that differ between back ends. Migrations that ran rely on them: they never change."""

from __future__ import annotations

import sqlalchemy as sa

# PostgreSQL's own JSON types refuse NaN, and one of them the character NUL, which notebooks print
RECORD = sa.JSON().with_variant(sa.Text(), "postgresql")
# sorted as text, whatever the database's language
MOMENT = sa.String().with_variant(sa.String(collation="C"), "postgresql")
# grows with every write, for ever
REVISION = sa.Integer().with_variant(sa.BigInteger(), "postgresql")
