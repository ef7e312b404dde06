"""Run the notebooks of the table of contents on all cores, into the cache that the book build reads.

``python book/_ext/execute.py`` from the root of the book; ``run.py book`` calls it. Notebooks whose cells,
package, lock and data are unchanged are not run again.
"""

import logging
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from book_pages import execution_cache_path

__all__ = ["main", "notebooks"]

TIMEOUT_SECONDS = 300  # for one cell


def notebooks(root: Path) -> list[Path]:
    """The notebooks that ``_toc.yml`` names, in reading order."""
    from sphinx_external_toc.parsing import parse_toc_yaml

    pages = (root / page for page in parse_toc_yaml(root / "_toc.yml"))
    found = (page if page.suffix == ".ipynb" else page.with_name(page.name + ".ipynb") for page in pages)
    return [path for path in found if path.exists()]


def failures(root: Path) -> Iterator[str]:
    """Run what is not in the cache; one text for each notebook that failed."""
    from jupyter_cache import get_cache
    from jupyter_cache.executors import load_executor

    cache = get_cache(str(execution_cache_path(root)))
    paths = [str(cache.add_nb_to_project(str(path)).uri) for path in notebooks(root)]
    executor = load_executor("local-parallel", cache, logging.getLogger(__name__))
    if not executor.get_records(filter_uris=paths):
        return
    result = executor.run_and_cache(filter_uris=paths, timeout=TIMEOUT_SECONDS)
    for uri in [*result.excepted, *result.errored]:
        traceback = re.sub(
            r"\x1b\[[\d;]*m", "", cache.get_project_record(uri).traceback or "could not be run"
        )
        yield f"{Path(uri).relative_to(root)}:\n{traceback.strip()}"


def main() -> int:
    """Exit code 1, with the tracebacks, when a notebook failed."""
    logging.basicConfig(format="%(message)s", stream=sys.stdout)
    logging.getLogger(__name__).setLevel(logging.INFO)  # "Executing: …", from the worker processes too
    failed = list(failures(Path.cwd()))
    print("\n\n".join(failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
