"""What these tests share: an empty database of each kind, and a browser."""

import pytest

from tests import browser
from tests.skips import skip


@pytest.fixture(scope="session")
def postgresql():
    """One real PostgreSQL server for this worker; the tests that want it are skipped without."""
    from tests.fakes.postgresql import PostgreSQL, programs

    if programs() is None:
        skip("PostgreSQL is not installed: apt-get install postgresql")
    with PostgreSQL() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request, tmp_path):
    """The URL of an empty database; each test runs once per kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/readings.db"
    return request.getfixturevalue("postgresql").new_database()


@pytest.fixture(scope="module")
def chromium():
    """A browser for the tests of a file, which are skipped without one."""
    browser.require()
    with browser.opened() as opened:
        yield opened
