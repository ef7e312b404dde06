/* The convolution playground. Data: window.CONVOLUTION, written by export.py. The numbers are those of
   torch.nn.functional.conv2d, relu and max_pool2d on the grey values. */
(() => {
  "use strict";

  // --- the numbers ---

  function decode(text, side) {
    const bytes = atob(text);
    return Array.from({ length: side }, (_, i) => Array.from({ length: side }, (_, j) => bytes.charCodeAt(i * side + j)));
  }

  /* A number or a fraction such as -1/9; NaN for anything else. */
  function weight(text) {
    const found = /^\s*([-+\u2212]?(?:\d+\.?\d*|\.\d+))\s*(?:\/\s*(\d+\.?\d*|\.\d+))?\s*$/.exec(text);
    const value = found ? Number(found[1].replace("\u2212", "-")) / Number(found[2] ?? 1) : NaN;
    return Math.abs(value) <= 1000 ? value : NaN;
  }

  const outputSide = (side, kernel, stride, padding) => Math.floor((side + 2 * padding - kernel) / stride) + 1;

  /* The nine grey values under the kernel at one place of the map; 0 in the padding. */
  function patch(picture, row, column, stride, padding) {
    return [0, 1, 2].flatMap((a) => [0, 1, 2].map((b) =>
      picture[row * stride - padding + a]?.[column * stride - padding + b] ?? 0));
  }

  const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);

  function convolve(picture, kernel, stride, padding) {
    const side = outputSide(picture.length, 3, stride, padding);
    return Array.from({ length: side }, (_, i) =>
      Array.from({ length: side }, (_, j) => dot(patch(picture, i, j, stride, padding), kernel)));
  }

  /* Places of the 2 x 2 values that max-pooling compares for one of its own. */
  const corners = (row, column) => [0, 1].flatMap((a) => [0, 1].map((b) => [2 * row + a, 2 * column + b]));

  function pool(map) {
    const side = Math.floor(map.length / 2);
    return Array.from({ length: side }, (_, i) =>
      Array.from({ length: side }, (_, j) => Math.max(...corners(i, j).map(([a, b]) => map[a][b]))));
  }

  function compute(picture, { kernel, stride, padding, relu, pooled }) {
    const sums = convolve(picture, kernel, stride, padding);
    const rectified = relu ? sums.map((row) => row.map((value) => Math.max(0, value))) : sums;
    return { sums, rectified, map: pooled ? pool(rectified) : rectified };
  }

  // --- drawing ---

  const PADDING = [196, 148, 74];

  function paint(canvas, rows, color) {
    const height = rows.length, width = rows[0].length, image = new ImageData(width, height);
    rows.forEach((row, i) => row.forEach((value, j) => image.data.set([...color(value), 255], 4 * (i * width + j))));
    const small = document.createElement("canvas");
    [small.width, small.height] = [width, height];
    small.getContext("2d").putImageData(image, 0, 0);
    const scale = Math.max(1, Math.floor(480 / width));
    [canvas.width, canvas.height] = [scale * width, scale * height];
    const pen = canvas.getContext("2d");
    pen.imageSmoothingEnabled = false;
    pen.drawImage(small, 0, 0, canvas.width, canvas.height);
    return scale;
  }

  /* A frame in two colours, so that it shows on black and on white. */
  function frame(canvas, scale, row, column, size) {
    const pen = canvas.getContext("2d");
    for (const [color, width] of [["#ffffff", 6], ["#c2410c", 3]]) {
      [pen.strokeStyle, pen.lineWidth] = [color, width];
      pen.strokeRect(column * scale, row * scale, size * scale, size * scale);
    }
  }

  function padded(picture, padding) {
    const side = picture.length + 2 * padding;
    return Array.from({ length: side }, (_, i) =>
      Array.from({ length: side }, (_, j) => picture[i - padding]?.[j - padding] ?? null));
  }

  /* Black and white of the map: from 0 upwards, or as far below 0 as above, so that 0 is mid-grey. */
  function limits(map) {
    const all = map.flat(), low = Math.min(...all), high = Math.max(...all);
    const top = Math.max(255, high, -low);
    return { low, high, black: low < 0 ? -top : 0, white: top };
  }

  const nice = (value) => {
    const rounded = Math.round(value * 100) / 100;
    return (rounded < 0 ? "\u2212" : "") + Math.abs(rounded).toLocaleString("en", { useGrouping: false, maximumFractionDigits: 2 });
  };

  // --- one playground ---

  function start(box, pictures) {
    const find = (name) => box.querySelector(`.cv-${name}`), all = (name) => [...box.querySelectorAll(`.cv-${name}`)];
    const fields = all("weight"), mapCanvas = find("map"), inputCanvas = find("input");
    let kernel = [], picture, options, found, place = null, scales = {};

    function read() {
      const typed = fields.map((field) => weight(field.value));
      fields.forEach((field, i) => field.setAttribute("aria-invalid", String(Number.isNaN(typed[i]))));
      const wrong = typed.some(Number.isNaN);
      find("error").textContent = wrong ? "A weight is a number from \u22121000 to 1000, such as \u22121, 0.5 or 1/9. The map keeps the last kernel." : "";
      if (!wrong) kernel = typed;
      picture = pictures[Number(box.querySelector(".cv-stamps input:checked").value)];
      options = {
        kernel, stride: Number(find("stride").value), padding: Number(find("padding").value),
        relu: find("relu").checked, pooled: find("pool").checked,
      };
    }

    function show() {
      read();
      found = compute(picture, options);
      const last = found.map.length - 1;
      if (place === null) place = [Math.floor(last / 2), Math.floor(last / 2)];
      place = place.map((value) => Math.min(value, last));
      describe();
      draw();
    }

    function describe() {
      const n = picture.length, { stride, padding, relu, pooled } = options, side = found.sums.length;
      const size = `Size of the map: \u230a(${n} + 2 \u00b7 ${padding} \u2212 3) / ${stride}\u230b + 1 = ${side}`;
      find("size").textContent = pooled ? `${size}, and half of it after max-pooling: ${found.map.length}.` : `${size}.`;
      const { low, high, black, white } = limits(found.map);
      find("input-text").textContent = `Stamp, ${n} \u00d7 ${n}${padding ? `, with ${padding} ring${padding > 1 ? "s" : ""} of zeros (brown)` : ""}.`;
      find("map-text").textContent = `Map${relu ? ", ReLU" : ""}${pooled ? ", max-pooling" : ""}, ${found.map.length} \u00d7 ${found.map.length}: `
        + `from ${nice(low)} to ${nice(high)}. Black is ${nice(black)}${black < 0 ? ", mid-grey 0" : ""}, white ${nice(white)}.`;
    }

    function draw() {
      const { black, white } = limits(found.map);
      scales.input = paint(inputCanvas, padded(picture, options.padding), (v) => (v === null ? PADDING : [v, v, v]));
      scales.map = paint(mapCanvas, found.map, (v) => Array(3).fill(Math.round((255 * (v - black)) / (white - black))));
      point();
    }

    function winner() {
      if (!options.pooled) return place;
      return corners(...place).reduce((best, other) =>
        (found.rectified[other[0]][other[1]] > found.rectified[best[0]][best[1]] ? other : best));
    }

    function point() {
      const [row, column] = winner(), { stride, padding, relu, pooled } = options;
      frame(inputCanvas, scales.input, row * stride, column * stride, 3);
      frame(mapCanvas, scales.map, ...place, 1);
      const values = patch(picture, row, column, stride, padding);
      box.querySelectorAll(".cv-products td").forEach((cell, i) => { cell.textContent = `${nice(values[i])} \u00d7 ${nice(kernel[i])}`; });
      const sum = found.sums[row][column], terms = values.map((value, i) => value * kernel[i]).filter((term) => term !== 0);
      const shown = terms.map((term, i) => (i ? (term < 0 ? " \u2212 " : " + ") + nice(Math.abs(term)) : nice(term))).join("");
      let text = `Row ${place[0] + 1}, column ${place[1] + 1} of the map: ${terms.length > 1 ? `${shown} = ` : ""}${nice(sum)}.`;
      if (relu) text += ` After ReLU: ${nice(Math.max(0, sum))}.`;
      if (pooled) text += ` It is the largest of ${corners(...place).map(([a, b]) => nice(found.rectified[a][b])).join(", ")}.`;
      find("answer").textContent = text;
    }

    function choose(row, column) {
      const last = found.map.length - 1, [before, other] = place;
      place = [row, column].map((value) => Math.max(0, Math.min(last, value)));
      if (place[0] !== before || place[1] !== other) draw();
    }

    function fill(weights) {
      fields.forEach((field, i) => { field.value = weights[i]; });
      name();
      show();
    }

    /* The list says which kernel the nine fields hold. */
    function name() {
      const typed = fields.map((field) => weight(field.value));
      const same = [...find("kernel").options].find((option) => option.value
        && option.value.split(/\s+/).every((text, i) => weight(text) === typed[i]));
      find("kernel").value = same ? same.value : "";
    }

    function fromPointer(event) {
      const rect = mapCanvas.getBoundingClientRect(), side = found.map.length;
      choose(Math.floor(((event.clientY - rect.top) / rect.height) * side), Math.floor(((event.clientX - rect.left) / rect.width) * side));
    }

    const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    mapCanvas.addEventListener("keydown", (event) => {
      const step = steps[event.key];
      if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      const far = event.shiftKey ? 10 : 1;
      choose(place[0] + far * step[0], place[1] + far * step[1]);
    });
    mapCanvas.addEventListener("pointermove", fromPointer);
    mapCanvas.addEventListener("pointerdown", fromPointer);
    find("kernel").addEventListener("change", () => { if (find("kernel").value) fill(find("kernel").value.split(/\s+/)); });
    fields.forEach((field) => field.addEventListener("input", () => { name(); show(); }));
    find("turn").addEventListener("click", () => fill(fields.map((field) => field.value).reverse()));
    box.querySelectorAll(".cv-stamps input").forEach((radio) => radio.addEventListener("change", show));
    ["stride", "padding", "relu", "pool"].forEach((control) => find(control).addEventListener("change", show));
    box.querySelectorAll(".cv-stamps canvas").forEach((canvas, i) => paint(canvas, pictures[i], (v) => [v, v, v]));
    box.classList.add("cv-ready");
    fill([...find("kernel").options].find((option) => option.text.startsWith("Sobel")).value.split(/\s+/));
  }

  document.addEventListener("DOMContentLoaded", () => {
    const places = [...document.querySelectorAll("section.convolution")];
    if (!places.length || !window.CONVOLUTION) return;
    const { side, pixels } = window.CONVOLUTION, pictures = pixels.map((text) => decode(text, side));
    places.forEach((box) => start(box, pictures));
    window.convolution = { compute: (stamp, options) => compute(pictures[stamp], options).map, weight };
  });
})();
