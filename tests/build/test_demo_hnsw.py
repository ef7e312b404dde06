"""The HNSW walk: its graph, its search and its part of the page, without a browser."""

import heapq
import json

import demos
import numpy as np
import pytest
from demos.hnsw import export, page
from docutils import nodes


def by_definition(graph, query, ef):
    """Algorithm 2 of Malkov & Yashunin (2018) with two heaps, from the top layer down; ids of the found, best first."""

    def apart(item):
        return int(((graph.points[item] - np.array(query)) ** 2).sum())

    best, counted = [graph.entry], {graph.entry}
    for layer in range(len(graph.layers) - 1, -1, -1):
        length, start = (ef if layer == 0 else 1), best[0]
        known, candidates, found = {start}, [(apart(start), start)], [(-apart(start), -start)]
        while candidates:
            distance, item = heapq.heappop(candidates)
            if (distance, item) > (-found[0][0], -found[0][1]) and len(found) == length:
                break
            for other in graph.layers[layer][item]:
                if other in known:
                    continue
                known.add(other)
                if len(found) < length or (apart(other), other) < (-found[0][0], -found[0][1]):
                    heapq.heappush(candidates, (apart(other), other))
                    heapq.heappush(found, (-apart(other), -other))
                    if len(found) > length:
                        heapq.heappop(found)
        best = [-item for _, item in sorted(found, reverse=True)]
        counted |= known
    return best, counted


@pytest.mark.parametrize("ef", [1, 2, 4, 8])
def test_the_steps_end_where_the_published_algorithm_ends(ef):
    graph = export.build()
    for query in np.random.default_rng(0).integers(0, export.SIDE + 1, (100, 2)):
        steps = export.search(graph, tuple(query), ef)
        best, counted = by_definition(graph, query, ef)
        assert steps[-1].best == best
        assert {graph.entry}.union(*(step.seen for step in steps)) == counted


def test_the_graph_is_one_piece_in_every_layer_and_links_go_both_ways():
    """Protects the walk from islands that no search could reach."""
    graph = export.build()
    assert [len(layer) for layer in graph.layers] == sorted(map(len, graph.layers), reverse=True)
    assert len(graph.layers) == 3 and graph.entry in graph.layers[-1]
    assert len(np.unique(graph.points, axis=0)) == export.ITEMS
    for layer in graph.layers:
        assert all(item in layer[other] for item, others in layer.items() for other in others)
        reached, waiting = {graph.entry}, [graph.entry]
        while waiting:
            new = set(layer[waiting.pop()]) - reached
            reached |= new
            waiting += new
        assert reached == set(layer)
    assert set(graph.layers[2]) <= set(graph.layers[1]) <= set(graph.layers[0]) == set(range(export.ITEMS))


def test_a_longer_list_misses_less_and_looks_at_more():
    """Protects what the page invites to try: the first query is missed with a list of one."""
    graph, misses, looked = export.build(), [], []
    queries = np.random.default_rng(1).integers(0, export.SIDE + 1, (200, 2))
    nearest = ((queries[:, None] - graph.points) ** 2).sum(axis=2).argmin(axis=1)
    for ef in (1, 2, 4, 8):
        walks = [export.search(graph, tuple(query), ef) for query in queries]
        misses.append(sum(steps[-1].best[0] != goal for steps, goal in zip(walks, nearest, strict=True)))
        looked.append(sum(len(step.seen) for steps in walks for step in steps))
    assert misses == sorted(misses, reverse=True) and misses[0] > misses[-1]
    assert looked == sorted(looked) and looked[0] > 0
    assert looked[-1] / len(queries) < export.ITEMS


def test_the_script_holds_the_graph(tmp_path, monkeypatch):
    monkeypatch.setenv("XMRLIB_CACHE", str(tmp_path / "cache"))
    graph = export.build()
    page.export(tmp_path / "out")
    text = (tmp_path / "out" / "data.js").read_text(encoding="utf-8")
    data = json.loads(text.removeprefix("window.HNSW = ").removesuffix(";\n"))
    assert data["points"] == graph.points.tolist() and data["entry"] == graph.entry
    assert [{int(item): others for item, others in layer.items()} for layer in data["layers"]] == graph.layers


def test_the_walk_is_placed_at_its_comment_with_ids_of_its_own():
    assert "hnsw" in demos.names()
    doctree = nodes.section(
        "", *[nodes.raw("", text, format="html") for text in ("<!-- hnsw -->", "<!--hnsw-->")]
    )
    demos.place(page.DEMO, doctree, "a/b")
    first, second = (node.astext() for node in doctree)
    assert 'id="hn-help-1"' in first and 'aria-describedby="hn-help-1"' in first
    assert 'id="hn-help-2"' in second and "needs JavaScript" in first
