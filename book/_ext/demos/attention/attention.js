/* The demo of attention. Data: window.ATTENTION, written by export.py: pictures, and where each word looks. */
(() => {
  "use strict";

  const SIDE = 448, CELLS = 7, DARK = [20, 11, 53], MIDDLE = [183, 55, 121], BRIGHT = [252, 253, 191];
  const percent = (value) => (value > 0 && value < 0.01 ? "less than 1 %" : `${Math.round(100 * value)} %`);

  /* The colour of a weight as a share of the largest: dark, then red, then bright. */
  function shade(share) {
    const [from, to, part] = share < 0.5 ? [DARK, MIDDLE, 2 * share] : [MIDDLE, BRIGHT, 2 * share - 1];
    return `rgb(${from.map((value, i) => Math.round(value + part * (to[i] - value))).join(" ")})`;
  }

  /* The largest weight of any word: one scale for all words of a picture. */
  const most = (item) => Math.max(...item.weights.flat());
  const place = (row) => row.indexOf(Math.max(...row));

  /* Whether the middle of the strongest region lies in the box of the thing that the word names; null for other words. */
  function points(item, word) {
    const box = item.boxes[item.named[word]], best = place(item.weights[word]);
    if (!box) return null;
    const [x, y] = [best % CELLS, Math.floor(best / CELLS)].map((at) => 32 * at + 16);
    return box[0] <= x && x < box[2] && box[1] <= y && y < box[3];
  }

  function sentence(item, word) {
    const text = `“${item.words[word]}”`, score = `Score of caption and picture: ${item.score.toFixed(2)}.`;
    if (item.shares[word] === null) return `${text} names no thing. Its strongest region has ${percent(Math.max(...item.weights[word]))} of its attention. ${score}`;
    const way = points(item, word) ? "inside" : "outside";
    return `${text}: ${percent(item.shares[word])} of its attention lies in the box of its thing; its strongest region is ${way}. ${score}`;
  }

  function start(box, data) {
    const find = (name) => box.querySelector(`.at-${name}`), context = find("picture").getContext("2d");
    const marks = { scene: "", failure: "fails: ", stamp: "stamp: " };
    const pictures = data.map((item) => {
      const picture = new Image();
      picture.onload = () => { if (data[number] === item) draw(); };
      picture.src = `data:image/webp;base64,${item.picture}`;
      return picture;
    });
    let number = 0, word = 1;

    function choose(next) {
      number = next;
      word = Math.max(0, data[number].named.findIndex((thing) => thing >= 0));
      find("words").replaceChildren(...data[number].words.map(button));
      find("most").textContent = percent(most(data[number]));
      show(word);
    }

    function button(text, i) {
      const node = document.createElement("button");
      node.type = "button";
      node.textContent = text;
      node.addEventListener("pointerenter", (event) => { if (event.pointerType === "mouse") show(i); });
      ["click", "focus"].forEach((name) => node.addEventListener(name, () => show(i)));
      return node;
    }

    function show(i) {
      word = i;
      [...find("words").children].forEach((node, k) => {
        node.setAttribute("aria-pressed", k === word);
        node.tabIndex = k === word ? 0 : -1;
      });
      const text = sentence(data[number], word);
      find("answer").textContent = text;
      find("picture").setAttribute("aria-label", `Picture to “${data[number].words.join(" ")}” and where the word looks`);
      draw();
    }

    function draw() {
      const item = data[number], top = most(item), cell = SIDE / CELLS;
      context.globalAlpha = 1;
      context.clearRect(0, 0, SIDE, SIDE);
      if (pictures[number].complete && pictures[number].naturalWidth) context.drawImage(pictures[number], 0, 0, SIDE, SIDE);
      context.globalAlpha = 0.5;
      item.weights[word].forEach((weight, i) => {
        context.fillStyle = shade(weight / top);
        context.fillRect((i % CELLS) * cell, Math.floor(i / CELLS) * cell, cell, cell);
      });
      context.globalAlpha = 1;
      if (find("frames").checked) item.boxes.forEach((edges, thing) => frame(edges, thing === item.named[word]));
    }

    /* White over black, so that it shows on any ground; dashed for what the word does not name. */
    function frame(edges, named) {
      const [left, up, right, down] = edges.map((value) => (value * SIDE) / 224);
      [["#000", 6], ["#fff", 3]].forEach(([colour, width]) => {
        context.strokeStyle = colour;
        context.lineWidth = width;
        context.setLineDash(named ? [] : [10, 8]);
        context.strokeRect(left, up, right - left, down - up);
      });
    }

    find("words").addEventListener("keydown", (event) => {
      const way = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!way || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      const nodes = find("words").children;
      nodes[(word + way + nodes.length) % nodes.length].focus();
    });
    find("item").replaceChildren(...data.map((item, i) => new Option(`${i + 1}. ${marks[item.kind]}${item.words.join(" ")}`, i)));
    find("item").addEventListener("change", () => choose(Number(find("item").value)));
    find("frames").addEventListener("change", draw);
    find("ramp").style.background = `linear-gradient(to right, ${shade(0)}, ${shade(0.5)}, ${shade(1)})`;
    box.classList.add("at-ready");
    choose(0);
  }

  document.addEventListener("DOMContentLoaded", () => {
    const places = [...document.querySelectorAll("section.attention-demo")];
    if (!places.length || !window.ATTENTION) return;
    places.forEach((box) => start(box, window.ATTENTION));
    window.attention = { shade, points, sentence };
  });
})();
