/* The Voronoi playground. Data: window.VORONOI, written by export.py. An inverted file in the plane: each item lies in
   the list of its nearest seed, and a query looks into the lists of the seeds nearest to it. */
(() => {
  "use strict";

  // --- the numbers ---

  const squared = (a, b) => (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2;

  /* The numbers of the points, nearest to the query first; equal distances in the order of the numbers. */
  function nearest(query, points) {
    const far = points.map((point) => squared(query, point));
    return points.map((_, i) => i).sort((a, b) => far[a] - far[b] || a - b);
  }

  /* For each item the number of its nearest seed. */
  const assign = (items, seeds) => items.map((item) => nearest(item, seeds)[0]);

  function search(query, items, seeds, cellOf, probes, k) {
    const probed = nearest(query, seeds).slice(0, probes);
    const looked = items.map((_, i) => i).filter((i) => probed.includes(cellOf[i]));
    const truth = nearest(query, items).slice(0, k), inside = new Set(looked);
    return { probed, looked, found: truth.filter((i) => inside.has(i)), missed: truth.filter((i) => !inside.has(i)) };
  }

  /* The mean recall and the mean share of items looked at, when each item in turn is the query. */
  function mean(items, seeds, probes, k) {
    const cellOf = assign(items, seeds);
    const all = items.map((item) => search(item, items, seeds, cellOf, probes, k));
    const average = (value) => all.reduce((sum, one) => sum + value(one), 0) / all.length;
    return { recall: average((one) => one.found.length / k), share: average((one) => one.looked.length / items.length) };
  }

  /* One step of k-means: each seed moves to the mean of its items; a seed without items stays. */
  function step(items, seeds) {
    const cellOf = assign(items, seeds);
    return seeds.map((seed, c) => {
      const own = items.filter((_, i) => cellOf[i] === c);
      return own.length ? [0, 1].map((axis) => own.reduce((sum, item) => sum + item[axis], 0) / own.length) : seed;
    });
  }

  /* The cell of a seed inside the unit square: cut the square at the bisector to every other seed. */
  function cell(seeds, c) {
    const [x, y] = seeds[c];
    return seeds.reduce((polygon, [u, v], other) => {
      if (other === c) return polygon;
      const a = u - x, b = v - y, middle = (u * u + v * v - x * x - y * y) / 2;
      return cut(polygon, ([p, q]) => a * p + b * q - middle);
    }, [[0, 0], [1, 0], [1, 1], [0, 1]]);
  }

  /* The part of a polygon where `side` is at most 0. */
  function cut(polygon, side) {
    return polygon.flatMap((from, i) => {
      const to = polygon[(i + 1) % polygon.length], a = side(from), b = side(to), kept = a <= 0 ? [from] : [];
      return (a < 0 && b > 0) || (a > 0 && b < 0)
        ? [...kept, [0, 1].map((axis) => from[axis] + ((to[axis] - from[axis]) * a) / (a - b))] : kept;
    });
  }

  // --- one playground ---

  const SVG = "http://www.w3.org/2000/svg", SIDE = 1000, EDGE = 0.02;
  const inside = (value) => Math.min(1 - EDGE, Math.max(EDGE, value));
  const percent = (value) => `${Math.round(100 * value)} %`;

  function draw(parent, tag, attributes) {
    const node = document.createElementNS(SVG, tag);
    Object.entries(attributes).forEach(([name, value]) => node.setAttribute(name, value));
    return parent.appendChild(node);
  }

  function start(box, data) {
    const find = (name) => box.querySelector(`.vo-${name}`), map = find("map"), items = data.items;
    let seeds, query, dragged = null;

    function reset() {
      seeds = data.seeds.slice(0, Number(find("cells").value));
      query = [0.5, 0.5];
      renew();
    }

    /* After a change of the number of cells. */
    function renew() {
      find("probes").max = seeds.length;
      const chosen = Math.min(Number(find("moved").value), seeds.length - 1);
      find("moved").replaceChildren(...["the query", ...seeds.map((_, c) => `seed ${c + 1}`)].map((text, i) => new Option(text, i - 1)));
      find("moved").value = chosen;
      show();
    }

    function show() {
      const probes = Number(find("probes").value), k = Number(find("k").value);
      const cellOf = assign(items, seeds), found = search(query, items, seeds, cellOf, probes, k);
      find("probes-text").textContent = probes;
      picture(found);
      say(found, probes, k);
    }

    function picture({ probed, looked, found, missed }) {
      const layer = document.createDocumentFragment(), seen = new Set(looked);
      seeds.forEach((_, c) => draw(layer, "polygon", {
        class: probed.includes(c) ? "vo-cell vo-probed" : "vo-cell",
        points: cell(seeds, c).map((point) => point.map((value) => (SIDE * value).toFixed(1)).join(",")).join(" "),
      }));
      const at = (i) => items[i].map((value) => SIDE * value);
      items.forEach((_, i) => draw(layer, "circle", { class: seen.has(i) ? "vo-item vo-seen" : "vo-item", cx: at(i)[0], cy: at(i)[1], r: 7 }));
      found.forEach((i) => draw(layer, "circle", { class: "vo-found", cx: at(i)[0], cy: at(i)[1], r: 15 }));
      missed.forEach((i) => draw(layer, "path", { class: "vo-missed", d: "M-14-14 14 14M-14 14 14-14", transform: `translate(${at(i)})` }));
      seeds.forEach((seed, c) => handle(layer, seed, c));
      handle(layer, query, -1);
      map.replaceChildren(layer);
    }

    function handle(layer, place, number) {
      const chosen = Number(find("moved").value) === number ? " vo-chosen" : "";
      const group = draw(layer, "g", { class: `vo-handle${chosen}`, "data-number": number, transform: `translate(${place.map((value) => SIDE * value)})` });
      draw(group, "circle", { class: "vo-grip", r: 45 });
      if (number < 0) draw(group, "path", { class: "vo-query", d: "M0-22 22 0 0 22-22 0z" });
      else {
        draw(group, "rect", { class: "vo-seed", x: -19, y: -19, width: 38, height: 38 });
        draw(group, "text", {}).textContent = number + 1;
      }
    }

    function say({ probed, looked, found, missed }, probes, k) {
      const cells = probed.map((c) => c + 1), recall = found.length / k;
      const names = cells.length === 1 ? `cell ${cells[0]}` : `cells ${cells.slice(0, -1).join(", ")} and ${cells.at(-1)}`;
      const misses = missed.length ? `${missed.length} missed` : "none missed";
      find("answer").textContent = `The query lies in cell ${cells[0]}. Looked into ${names}: ${looked.length} of ${items.length} items (${percent(looked.length / items.length)}). `
        + `True nearest ${k === 1 ? "neighbour" : "neighbours"}: ${k}; found ${found.length}, ${misses}. recall@${k} = ${recall}.`;
      const over = mean(items, seeds, probes, k);
      find("mean").textContent = `With each item in turn as the query: mean recall@${k} = ${over.recall.toFixed(3)}, ${percent(over.share)} looked at.`;
    }

    function move(number, place) {
      const to = place.map(inside);
      if (number < 0) query = to;
      else if (!seeds.some((seed, c) => c !== number && squared(seed, to) < 1e-6)) seeds = seeds.map((seed, c) => (c === number ? to : seed));
      show();
    }

    function where(event) {
      const rect = map.getBoundingClientRect();
      return [(event.clientX - rect.left) / rect.width, (event.clientY - rect.top) / rect.height];
    }

    /* The handle nearest to the pointer, if it is within reach; the query on equal terms first. */
    function grabbed(event) {
      const reach = Math.max(0.045, 22 / map.getBoundingClientRect().width), place = where(event);
      const [best] = nearest(place, [query, ...seeds]), at = [query, ...seeds][best];
      return squared(place, at) <= reach ** 2 ? best - 1 : null;
    }

    map.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      dragged = grabbed(event);
      if (dragged === null) {
        if (event.pointerType !== "mouse") return; // a touch may be the start of scrolling: the tap comes as a click
        dragged = -1;
        move(-1, where(event));
      }
      find("moved").value = dragged;
      map.setPointerCapture(event.pointerId);
      show();
    });
    map.addEventListener("click", (event) => { if (grabbed(event) === null) move(-1, where(event)); });
    map.addEventListener("pointermove", (event) => { if (dragged !== null) move(dragged, where(event)); });
    ["pointerup", "pointercancel"].forEach((name) => map.addEventListener(name, () => { dragged = null; }));
    const steps = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
    map.addEventListener("keydown", (event) => {
      const way = steps[event.key];
      if (!way || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      const number = Number(find("moved").value), at = number < 0 ? query : seeds[number], far = event.shiftKey ? 0.1 : 0.01;
      move(number, at.map((value, axis) => value + far * way[axis]));
    });
    find("cells").addEventListener("change", () => {
      const wanted = Number(find("cells").value);
      seeds = [...seeds, ...data.seeds.slice(seeds.length)].slice(0, wanted);
      renew();
    });
    ["probes", "k", "moved"].forEach((name) => find(name).addEventListener("input", show));
    find("step").addEventListener("click", () => { seeds = step(items, seeds); show(); });
    find("reset").addEventListener("click", () => { find("probes").value = 1; reset(); });
    box.classList.add("vo-ready");
    reset();
  }

  document.addEventListener("DOMContentLoaded", () => {
    const places = [...document.querySelectorAll("section.voronoi")];
    if (!places.length || !window.VORONOI) return;
    places.forEach((box) => start(box, window.VORONOI));
    window.voronoi = { nearest, assign, search, mean, step, cell };
  });
})();
