/* The search box of chapter 1. It ranks in the reader's browser, with the index that the build wrote to data.js.
   The same whole-number arithmetic as xmrlib/live_search.py, so that both give the same ranking. */
(function () {
  "use strict";

  function bytes(base64) {
    const text = atob(base64), out = new Int8Array(text.length);
    for (let i = 0; i < text.length; i++) out[i] = text.charCodeAt(i);
    return out;
  }

  function makeIndex(data) {
    const words = data.words.split(" ");
    return {
      data: data,
      place: new Map(words.map((word, row) => [word, row])),
      wordVectors: bytes(data.wordVectors),
      pictureVectors: bytes(data.pictureVectors),
      size: data.captions.length,
      d: data.dimensions,
    };
  }

  function chineseWords(index, run) {
    const found = [];
    let start = 0;
    while (start < run.length) {
      let size = Math.min(index.data.longest, run.length - start);
      while (size > 0 && !index.place.has(run.slice(start, start + size))) size--;
      if (size > 0) found.push(run.slice(start, start + size));
      start += Math.max(size, 1);
    }
    return found;
  }

  function wordsOf(index, sentence) {
    const runs = sentence.toLowerCase().match(/[a-z]+|[\u4e00-\u9fff]+/g) || [];
    return runs.flatMap((run) =>
      /^[a-z]/.test(run) ? (index.place.has(run) ? [run] : []) : chineseWords(index, run));
  }

  function dot(index, vector, picture) {
    let sum = 0;
    for (let j = 0; j < index.d; j++) sum += vector[j] * index.pictureVectors[picture * index.d + j];
    return sum;
  }

  function search(index, sentence, k) {
    const words = wordsOf(index, sentence);
    const query = new Array(index.d).fill(0);
    for (const word of words) {
      const row = index.place.get(word) * index.d;
      for (let j = 0; j < index.d; j++) query[j] += index.wordVectors[row + j];
    }
    const scores = Array.from({ length: index.size }, (_, i) => dot(index, query, i));
    const ids = Array.from(scores.keys()).sort((a, b) => scores[b] - scores[a] || a - b);
    return { words: words, ids: words.length ? ids.slice(0, k) : [], scores: scores };
  }

  /* How much each word added to the score of one picture, largest first. */
  function shares(index, words, picture) {
    return words
      .map((word) => {
        const row = index.place.get(word) * index.d;
        return { word: word, points: dot(index, index.wordVectors.subarray(row, row + index.d), picture) };
      })
      .sort((a, b) => b.points - a.points);
  }

  function element(tag, attributes, children) {
    const node = document.createElement(tag);
    for (const name in attributes) node.setAttribute(name, attributes[name]);
    node.append(...(children || []));
    return node;
  }

  function thumbnail(index, picture, sheet) {
    const columns = index.data.columns, rows = Math.ceil(index.size / columns);
    const node = element("span", { class: "ls-picture", role: "img", "aria-label": index.data.captions[picture] });
    const x = ((picture % columns) / (columns - 1)) * 100;
    const y = rows > 1 ? (Math.floor(picture / columns) / (rows - 1)) * 100 : 0;
    node.style.backgroundImage = `url("${sheet}")`;
    node.style.backgroundSize = `${columns * 100}% ${rows * 100}%`;
    node.style.backgroundPosition = `${x}% ${y}%`;
    return node;
  }

  function why(index, words, picture) {
    const parts = shares(index, words, picture);
    const largest = Math.max(1, ...parts.map((part) => Math.abs(part.points)));
    const rows = parts.map((part) => {
      const bar = element("span", { class: part.points < 0 ? "ls-bar ls-against" : "ls-bar" });
      bar.style.width = `${(Math.abs(part.points) / largest) * 100}%`;
      return element("li", {}, [
        element("span", { class: "ls-word" }, [part.word]),
        element("span", { class: "ls-track" }, [bar]),
        element("span", { class: "ls-points" }, [part.points.toLocaleString("en")]),
      ]);
    });
    const seen = index.data.seen[picture].map((pair) => `${pair[0]} (${Math.round(pair[1] * 100)} %)`).join(", ");
    return element("details", { class: "ls-why" }, [
      element("summary", {}, ["Why?"]),
      element("p", {}, [`The network sees: ${seen}. What each word adds to the score:`]),
      element("ul", {}, rows),
    ]);
  }

  function card(index, words, picture, place, sheet) {
    const chinese = index.data.chinese[picture];
    const names = [element("span", { class: "ls-caption" }, [index.data.captions[picture]])];
    if (chinese) names.push(element("span", { class: "ls-chinese", lang: "zh" }, [chinese]));
    return element("li", { class: "ls-card" }, [
      element("span", { class: "ls-rank", "aria-hidden": "true" }, [String(place)]),
      thumbnail(index, picture, sheet),
      ...names,
      why(index, words, picture),
    ]);
  }

  function start(box, index, base) {
    const input = box.querySelector("input"), status = box.querySelector(".ls-status"), list = box.querySelector("ol");
    let shown = null;
    function show() {
      if (input.value === shown) return;  // drawing again would close what the reader has opened
      shown = input.value;
      const result = search(index, input.value, 10);
      list.replaceChildren(...result.ids.map((id, i) => card(index, result.words, id, i + 1, base + "sheet.webp")));
      if (!input.value.trim()) status.textContent = "Type a sentence to search " + index.size + " pictures.";
      else if (!result.words.length) status.textContent = "The index knows none of these words. Try others.";
      else status.textContent = `${index.size} pictures ranked by: ${result.words.join(" + ")}. Best ten first.`;
    }
    let waiting;
    input.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(show, 120); });
    box.querySelector("form").addEventListener("submit", (event) => { event.preventDefault(); show(); });
    box.querySelectorAll("button[data-query]").forEach((button) =>
      button.addEventListener("click", () => { input.value = button.dataset.query; show(); input.focus(); }));
    box.classList.add("ls-ready");
    show();
  }

  document.addEventListener("DOMContentLoaded", () => {
    const box = document.querySelector(".live-search");
    if (!box || !window.LIVE_SEARCH) return;
    const index = makeIndex(window.LIVE_SEARCH);
    window.liveSearch = { search: (sentence, k) => search(index, sentence, k), words: (s) => wordsOf(index, s) };
    start(box, index, box.dataset.base);
  });
})();
