/* The HNSW walk. Data: window.HNSW, written by export.py, whose function `search` takes the same steps. */
(() => {
  "use strict";

  // --- the search ---

  function search({ points, layers, entry }, query, ef) {
    const apart = (item) => (points[item][0] - query[0]) ** 2 + (points[item][1] - query[1]) ** 2;
    const nearer = (a, b) => apart(a) - apart(b) || a - b;
    const steps = [];
    let best = [entry];
    for (let layer = layers.length - 1; layer >= 0; layer -= 1) {
      const length = layer ? 1 : ef, known = new Set([best[0]]), waiting = [best[0]];
      best = [best[0]];
      while (waiting.length && !(best.length === length && nearer(waiting[0], best[best.length - 1]) > 0)) {
        const opened = waiting.shift(), seen = layers[layer][opened].filter((item) => !known.has(item));
        for (const item of seen) {
          known.add(item);
          if (best.length < length || nearer(item, best[best.length - 1]) < 0) {
            waiting.push(item);
            waiting.sort(nearer);
            best = [...best, item].sort(nearer).slice(0, length);
          }
        }
        steps.push({ layer, opened, seen, best });
      }
    }
    return steps;
  }

  // --- one walk ---

  const draw = (name, attributes) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    Object.entries(attributes).forEach(([key, value]) => element.setAttribute(key, value));
    return element;
  };

  function start(box, graph) {
    const find = (name) => box.querySelector(`.hn-${name}`), map = find("map"), { points, layers, side } = graph;
    let query = [0.68 * side, 0.36 * side].map(Math.round), steps = [], place = 0;

    function restart() {
      steps = search(graph, query, Number(find("ef").value));
      place = 0;
      show();
    }

    /* All items whose distance is known after a number of steps: in this layer, and in all. */
    function known(until) {
      const { layer } = steps[until], first = steps.findIndex((step) => step.layer === layer);
      const here = new Set([steps[first].opened, ...steps.slice(first, until + 1).flatMap((step) => step.seen)]);
      const all = new Set([graph.entry, ...steps.slice(0, until + 1).flatMap((step) => step.seen)]);
      return { here, all };
    }

    function show() {
      const { layer, opened, best } = steps[place], { here } = known(place), edges = layers[layer];
      find("links").replaceChildren(...Object.entries(edges).flatMap(([item, others]) => others
        .filter((other) => Number(item) < other || !edges[other])
        .map((other) => draw("line", {
          x1: points[item][0], y1: points[item][1], x2: points[other][0], y2: points[other][1],
          class: Number(item) === opened || other === opened ? "hn-followed" : "",
        }))));
      find("items").replaceChildren(...points.map(([x, y], item) => {
        const kind = item === opened ? "hn-opened" : best.includes(item) ? "hn-best" : here.has(item) ? "hn-seen" : edges[item] ? "" : "hn-below";
        return draw("circle", { cx: x, cy: y, r: kind === "hn-below" ? 7 : kind ? 19 : 13, class: kind });
      }));
      const [x, y] = query;
      find("query").replaceChildren(draw("path", { d: `M${x - 18} ${y - 18}l36 36m0-36l-36 36` }));
      find("said").textContent = words();
      find("back").disabled = place === 0;
      find("next").disabled = place === steps.length - 1;
    }

    function words() {
      const { layer, opened, seen, best } = steps[place], { all } = known(place);
      const names = best.length > 1 ? `The list holds items ${best.join(", ")}` : `The best is item ${best[0]}`;
      const text = `Step ${place + 1} of ${steps.length}, layer ${layer}: item ${opened} is opened, `
        + `${seen.length} ${seen.length === 1 ? "neighbour is" : "neighbours are"} new. ${names}; distances so far: ${all.size} of ${points.length}.`;
      return place < steps.length - 1 ? text : `${text} ${verdict(best[0])}`;
    }

    function verdict(found) {
      const apart = ([x, y]) => (x - query[0]) ** 2 + (y - query[1]) ** 2;
      const nearest = points.reduce((a, point, item) => (apart(point) < apart(points[a]) ? item : a), 0);
      return nearest === found ? "The end: this is the nearest item." : `The end, and a miss: item ${nearest} is nearer.`;
    }

    function move(x, y) {
      const [before, other] = query;
      query = [x, y].map((value) => Math.max(0, Math.min(side, Math.round(value))));
      if (query[0] !== before || query[1] !== other) restart();
    }

    const go = (by) => { place = Math.max(0, Math.min(steps.length - 1, place + by)); show(); };
    const keys = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
    map.addEventListener("keydown", (event) => {
      const key = keys[event.key];
      if (!key || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      const far = event.shiftKey ? 200 : 20;
      move(query[0] + far * key[0], query[1] + far * key[1]);
    });
    map.addEventListener("click", (event) => {
      const rect = map.getBoundingClientRect();
      move(((event.clientX - rect.left) / rect.width) * side, ((event.clientY - rect.top) / rect.height) * side);
    });
    find("back").addEventListener("click", () => go(-1));
    find("next").addEventListener("click", () => go(1));
    find("again").addEventListener("click", restart);
    find("ef").addEventListener("change", restart);
    box.classList.add("hn-ready");
    restart();
  }

  document.addEventListener("DOMContentLoaded", () => {
    const places = [...document.querySelectorAll("section.hnsw")];
    if (!places.length || !window.HNSW) return;
    places.forEach((box) => start(box, window.HNSW));
    window.hnsw = { search: (query, ef) => search(window.HNSW, query, ef) };
  });
})();
