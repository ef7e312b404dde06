/* The temperature slider. Data: window.TEMPERATURE, written by export.py. The numbers are those of a softmax with
   cross-entropy: xmrlib.losses.info_nce, one row of it. */
(() => {
  "use strict";

  /* Softmax, loss and push of one row of cosines. The push is the gradient of the loss by each cosine. */
  function compute(row, right, temperature) {
    const softmax = (scores) => {
      const top = Math.max(...scores), weights = scores.map((s) => Math.exp((s - top) / temperature));
      const sum = weights.reduce((a, b) => a + b, 0);
      return { p: weights.map((w) => w / sum), log: top / temperature + Math.log(sum) };
    };
    const { p, log } = softmax(row), among = softmax(row.filter((_, j) => j !== right)).p;
    const push = p.map((value, j) => (value - (j === right ? 1 : 0)) / temperature);
    const share = [...among.slice(0, right), 0, ...among.slice(right)];
    const loss = log - row[right] / temperature;
    return { p, push, share, loss };
  }

  const shown = (value, digits = 3) => value.toFixed(digits).replace("-", "\u2212");

  function start(box, { cosines, captions, pictures }) {
    const find = (name) => box.querySelector(`.te-${name}`);
    const rows = captions.map((caption, j) => {
      const row = find("table").tBodies[0].insertRow(), head = document.createElement("th");
      const image = new Image(48, 48), name = document.createElement("span");
      image.src = `data:image/webp;base64,${pictures[j]}`;
      image.alt = "";
      head.scope = "row";
      head.append(image, name);
      row.append(head);
      const cells = [0, 1, 2].map(() => row.insertCell());
      for (const cell of cells.slice(1)) {
        const bar = document.createElement("span"), text = document.createElement("span");
        bar.className = "te-bar";
        bar.setAttribute("aria-hidden", "true");
        cell.append(bar, text);
      }
      return { row, name, cells };
    });
    captions.forEach((caption, i) => find("caption").add(new Option(caption, i)));

    function fill(cell, value, text) {
      cell.firstChild.style.setProperty("--te-share", value);
      cell.lastChild.textContent = text;
    }

    function show() {
      const right = Number(find("caption").value), temperature = 10 ** Number(find("slider").value);
      const { p, share, loss } = compute(cosines[right], right, temperature);
      find("value").textContent = shown(temperature);
      find("slider").setAttribute("aria-valuetext", shown(temperature));
      rows.forEach(({ row, name, cells }, j) => {
        row.className = j === right ? "te-right" : "";
        name.textContent = captions[j] + (j === right ? " (right)" : "");
        cells[0].textContent = shown(cosines[right][j], 2);
        fill(cells[1], p[j], shown(p[j]));
        fill(cells[2], share[j], j === right ? "pulled" : shown(share[j]));
      });
      const hardest = share.indexOf(Math.max(...share));
      find("answer").textContent = `Loss of this caption: ${shown(loss)}; with equal scores it would be log ${captions.length} = `
        + `${shown(Math.log(captions.length))}. Of the push on the wrong pictures, \u201c${captions[hardest]}\u201d gets ${shown(100 * share[hardest], 0)} %.`;
    }

    find("slider").addEventListener("input", show);
    find("caption").addEventListener("change", show);
    box.classList.add("te-ready");
    show();
  }

  document.addEventListener("DOMContentLoaded", () => {
    const places = [...document.querySelectorAll("section.temperature")];
    if (!places.length || !window.TEMPERATURE) return;
    places.forEach((box) => start(box, window.TEMPERATURE));
    window.temperature = { compute };
  });
})();
