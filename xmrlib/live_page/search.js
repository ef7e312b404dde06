/* The search box. It ranks in the reader's browser, with the index that stands in data.js.
   The same whole-number arithmetic as xmrlib/live_search.py, so that both give the same ranking.
   What the reader types goes into the page as text only, never as HTML. */
(function () {
  "use strict";

  // --- the index: a number is one character of a string, and is read where it is needed ---

  function makeIndex(data) {
    const words = data.words.split(" ");
    return {
      data, words,
      place: new Map(words.map((word, row) => [word, row])),
      longest: words.reduce((most, word) => Math.max(most, word.length), 1),
      size: data.captions.length,
      d: data.dimensions,
      shown: data.shown || 10,
    };
  }

  function vector(index, text, row) {
    const out = new Array(index.d), start = row * index.d;
    for (let j = 0; j < index.d; j++) out[j] = text.charCodeAt(start + j) - index.data.zero;
    return out;
  }

  const wordVector = (index, word) => vector(index, index.data.wordVectors, index.place.get(word));
  const isEmpty = (index, word) => wordVector(index, word).every((value) => value === 0);
  const dot = (a, b) => a.reduce((sum, value, j) => sum + value * b[j], 0);

  // --- reading a sentence: xmrlib.live_search.read ---

  const RUN = /[a-z]+|[\u4e00-\u9fff]+|(?:(?![a-z\u4e00-\u9fff])[\p{L}\p{N}])+/gu;

  function plain(text) {
    const apart = text.toLowerCase().normalize("NFKD");
    return apart.replace(/[\u0300-\u036f]/g, "").normalize("NFC").replace(/['\u2019]s(?![a-z])/g, " ");
  }

  function simpleForms(data, word) {
    const forms = Object.hasOwn(data.irregular, word) ? [data.irregular[word]] : [];
    for (const [ending, instead] of data.endings) {
      if (!word.endsWith(ending)) continue;
      const stem = word.slice(0, word.length - ending.length) + instead;
      if (stem.length > 2) forms.push(stem);
      if (stem.length > 2 && stem.at(-1) === stem.at(-2)) forms.push(stem.slice(0, -1));
    }
    return forms;
  }

  function known(index, word) {
    if (index.place.has(word)) return word;
    return simpleForms(index.data, word).find((form) => index.place.has(form)) ?? null;
  }

  function cheapestWords(index, run) {
    const best = [0], last = [0];
    for (let end = 1; end <= run.length; end++) {
      best[end] = Infinity;
      for (let start = Math.max(0, end - index.longest); start < end; start++) {
        const row = index.place.get(run.slice(start, end));
        if (row === undefined && start < end - 1) continue;
        const cost = row === undefined ? index.data.unknownCost : index.data.costs.charCodeAt(row) - index.data.costZero;
        if (best[start] + cost < best[end]) [best[end], last[end]] = [best[start] + cost, start];
      }
    }
    const pieces = [];
    for (let end = run.length; end; end = last[end]) pieces.unshift(run.slice(last[end], end));
    return pieces;
  }

  function read(index, sentence) {
    const runs = plain(sentence.slice(0, index.data.limit)).match(RUN) || [];
    const pieces = runs.flatMap((run) => (/^[\u4e00-\u9fff]/.test(run) ? cheapestWords(index, run) : [run]));
    return pieces.map((piece) => [piece, known(index, piece)]);
  }

  // --- ranking: xmrlib.live_search.search; each word is scored once, times its count ---

  function counts(index, sentence) {
    const found = new Map();
    for (const [, word] of read(index, sentence)) if (word !== null) found.set(word, (found.get(word) || 0) + 1);
    return found;
  }

  function search(index, sentence, k) {
    const words = counts(index, sentence), query = new Array(index.d).fill(0);
    for (const [word, count] of words) wordVector(index, word).forEach((value, j) => { query[j] += count * value; });
    if (![...words.keys()].some((word) => !isEmpty(index, word))) return { words, ids: [], scores: [] };
    const all = Array.from({ length: index.size }, (_, i) => dot(query, vector(index, index.data.pictureVectors, i)));
    const ids = [...all.keys()].sort((a, b) => all[b] - all[a] || a - b).slice(0, k);
    return { words, ids, scores: ids.map((i) => all[i]) };
  }

  /* How much each word added to the score of one picture, largest first. */
  function shares(index, words, picture) {
    const seen = vector(index, index.data.pictureVectors, picture);
    return [...words]
      .filter(([word]) => !isEmpty(index, word))
      .map(([word, count]) => ({ word, count, points: count * dot(wordVector(index, word), seen) }))
      .sort((a, b) => b.points - a.points);
  }

  // --- spelling: known words at most two letters away (insert, drop, change, swap neighbours) from the word or from
  //     what it may be a form of ---

  function distance(a, b, most) {
    let before = [], row = Array.from({ length: b.length + 1 }, (_, j) => j);
    for (let i = 1; i <= a.length; i++) {
      const next = [i];
      for (let j = 1; j <= b.length; j++) {
        next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
        if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) next[j] = Math.min(next[j], before[j - 2] + 1);
      }
      if (Math.min(...next) > most && Math.min(...row) > most) return most + 1;
      [before, row] = [row, next];
    }
    return row[b.length];
  }

  /* How many letters two words share at their beginning and their end. */
  function shared(a, b) {
    const most = Math.min(a.length, b.length);
    let first = 0, last = 0;
    while (first < most && a[first] === b[first]) first++;
    while (last < most - first && a.at(-1 - last) === b.at(-1 - last)) last++;
    return first + last;
  }

  function nearWords(index, word) {
    const most = word.length < 5 ? 1 : 2, found = [];
    if (!/^[a-z]{3,20}$/.test(word)) return [];
    const forms = [word, ...simpleForms(index.data, word)];
    index.words.forEach((other, row) => {
      if (!/^[a-z]{3}/.test(other) || Math.abs(other.length - word.length) > most) return;
      const far = Math.min(...forms.map((form) => distance(form, other, most)));
      if (far <= most && !isEmpty(index, other)) found.push({ other, far, row, alike: shared(word, other) });
    });
    return found.sort((a, b) => a.far - b.far || b.alike - a.alike || a.row - b.row).slice(0, 3).map((near) => near.other);
  }

  // --- drawing ---

  function element(tag, attributes, children) {
    const node = document.createElement(tag);
    for (const name in attributes) node.setAttribute(name, attributes[name]);
    node.append(...(children || []));
    return node;
  }

  function list(words) {
    return words.length > 8 ? `${words.slice(0, 8).join(", ")} and ${words.length - 8} more` : words.join(", ");
  }

  function reasons(index, words, picture) {
    const parts = shares(index, words, picture);
    const largest = Math.max(1, ...parts.map((part) => Math.abs(part.points)));
    const rows = parts.slice(0, 12).map((part) => {
      const bar = element("span", { class: part.points < 0 ? "ls-bar ls-against" : "ls-bar" });
      bar.style.width = `${(Math.abs(part.points) / largest) * 100}%`;
      return element("li", {}, [
        element("span", { class: "ls-word" }, [part.count > 1 ? `${part.word} × ${part.count}` : part.word]),
        element("span", { class: "ls-track" }, [bar]),
        element("span", { class: "ls-points" }, [part.points.toLocaleString("en")]),
      ]);
    });
    const seen = index.data.seen[picture].map(([name, share]) => `${name} (${Math.round(share * 100)}\u00a0%)`).join(", ");
    return [
      element("p", {}, [element("strong", {}, [index.data.captions[picture]]), ` The network sees: ${seen}.`]),
      element("p", {}, ["What each word adds to the score:"]),
      element("ul", {}, rows),
    ];
  }

  /* With addresses, for a reader's own files, the small picture leads to the picture itself. */
  function thumbnail(index, picture, base) {
    const { thumbnails, links, captions } = index.data, name = thumbnails ? thumbnails[picture] : `${picture}.webp`;
    const small = { src: `${base}${name}`, alt: "", width: 144, height: 144, decoding: "async", loading: "lazy" };
    if (!links) return element("img", small);
    return element("a", { href: links[picture], target: "_blank", rel: "noopener" }, [
      element("img", { ...small, alt: `Open ${captions[picture]}` }),
    ]);
  }

  function card(index, picture, place, base, panelId) {
    const chinese = index.data.chinese[picture], caption = index.data.captions[picture];
    const names = [element("span", { class: "ls-caption" }, [caption])];
    if (chinese) names.push(element("span", { class: "ls-chinese", lang: "zh-CN" }, [chinese]));
    return element("li", { class: "ls-card", value: place, "data-picture": picture }, [
      element("span", { class: "ls-rank", "aria-hidden": "true" }, [String(place)]),
      thumbnail(index, picture, base),
      element("div", { class: "ls-text" }, [
        ...names,
        element("button", { type: "button", class: "ls-why", "aria-expanded": "false", "aria-controls": panelId, "aria-label": `Why? ${caption}` }, ["Why?"]),
      ]),
    ]);
  }

  /* One panel for each box. It stands below the row of its card, so no card changes its size. */
  function makePanel(id) {
    const body = element("div", { class: "ls-reasons" });
    const close = element("button", { type: "button", class: "ls-close", "aria-label": "Close the reasons" }, ["×"]);
    return { node: element("li", { class: "ls-panel", id }, [close, body]), body, close, card: null };
  }

  function closePanel(panel) {
    if (panel.card) panel.card.querySelector(".ls-why").setAttribute("aria-expanded", "false");
    panel.node.remove();
    panel.card = null;
  }

  function putPanel(panel) {
    if (!panel.card) return;
    panel.node.remove();
    const cards = [...panel.card.parentNode.querySelectorAll(".ls-card")];
    cards.filter((other) => other.offsetTop === panel.card.offsetTop).at(-1).after(panel.node);
  }

  function openPanel(panel, opened, content) {
    closePanel(panel);
    panel.card = opened;
    panel.body.replaceChildren(...content);
    opened.querySelector(".ls-why").setAttribute("aria-expanded", "true");
    putPanel(panel);
  }

  function statusText(index, sentence, pairs, result) {
    const missing = [...new Set(pairs.filter(([, word]) => word === null).map(([written]) => written))];
    const unknown = missing.length ? ` Not known: ${list(missing)}.` : "";
    if (!sentence.trim()) return `Type a sentence to search ${index.size} pictures.`;
    const used = [...result.words].filter(([word]) => !isEmpty(index, word))
      .map(([word, count]) => (count > 1 ? `${word} × ${count}` : word));
    const shown = used.length > 8 ? `${used.slice(0, 8).join(" + ")} and ${used.length - 8} more` : used.join(" + ");
    if (used.length) return `${index.size} pictures ranked by: ${shown}. Best ${index.shown === 10 ? "ten" : Math.min(index.shown, index.size)} first.${unknown}`;
    if (result.words.size) return `“${list([...result.words.keys()])}” alone says nothing about a picture. Add a thing, a colour or an activity.${unknown}`;
    return missing.length ? `None of these words is known.${unknown}` : "There is no word in this. Type a thing, a colour or an activity.";
  }

  function notes(index, sentence, pairs, replace) {
    const forms = new Map(pairs.filter(([written, word]) => word !== null && word !== written));
    const left = new Set(pairs.filter(([, word]) => word !== null && isEmpty(index, word)).map(([, word]) => word));
    const missing = new Set(pairs.filter(([, word]) => word === null).map(([written]) => written));
    const out = [];
    if (sentence.length > index.data.limit) out.push(`Only the first ${index.data.limit.toLocaleString("en")} characters are read. `);
    if (forms.size) out.push(`Read as simple forms: ${list([...forms].map(([written, word]) => `${written} → ${word}`))}. `);
    if (left.size && left.size < pairs.length) out.push(`Left out: ${list([...left])}. `);
    for (const word of [...missing].slice(0, 3)) {
      const near = nearWords(index, word);
      if (!near.length) continue;
      const buttons = near.map((other) => {
        const button = element("button", { type: "button", class: "ls-near" }, [other]);
        button.addEventListener("click", () => replace(word, other));
        return button;
      });
      out.push(element("span", { class: "ls-spelling" }, [`Instead of ${word}, did you mean `, ...buttons, "? "]));
    }
    return out;
  }

  function start(box, index, number) {
    const input = box.querySelector("input"), results = box.querySelector("ol"), base = box.dataset.base;
    const panel = makePanel(`live-search-reasons-${number}`);
    let shown = null, words = new Map();

    function show() {
      if (input.value === shown) return;  // drawing again would close what the reader has opened
      shown = input.value;
      const pairs = read(index, shown), result = search(index, shown, index.shown);
      words = result.words;
      closePanel(panel);
      results.replaceChildren(...result.ids.map((id, i) => card(index, id, i + 1, base, panel.node.id)));
      box.querySelector(".ls-status").textContent = statusText(index, shown, pairs, result);
      box.querySelector(".ls-notes").replaceChildren(...notes(index, shown, pairs, replace));
      box.querySelector(".ls-link").href = `#${new URLSearchParams({ q: shown.slice(0, index.data.limit) })}`;
    }

    function ask(sentence) {
      input.value = sentence;
      show();
    }

    function replace(word, other) {
      const corrected = input.value.replace(new RegExp(`(?<![a-z])${word}(?![a-z])`, "gi"), other);
      ask(corrected === input.value ? `${input.value} ${other}` : corrected);
      input.focus();
    }

    let waiting;
    const later = () => { clearTimeout(waiting); waiting = setTimeout(show, 120); };
    input.addEventListener("input", (event) => { if (!event.isComposing) later(); });
    input.addEventListener("compositionend", later);
    box.querySelector("form").addEventListener("submit", (event) => { event.preventDefault(); show(); });
    box.querySelectorAll("button[data-query]").forEach((button) =>
      button.addEventListener("click", () => { ask(button.dataset.query); input.focus(); }));
    results.addEventListener("click", (event) => {
      const why = event.target.closest(".ls-why"), opened = why?.closest(".ls-card");
      if (!why) return;
      if (panel.card === opened) closePanel(panel);
      else openPanel(panel, opened, reasons(index, words, Number(opened.dataset.picture)));
    });
    function closeAndReturn() {
      const why = panel.card?.querySelector(".ls-why");
      closePanel(panel);
      why?.focus();
    }
    panel.close.addEventListener("click", closeAndReturn);
    results.addEventListener("keydown", (event) => { if (event.key === "Escape") closeAndReturn(); });
    window.addEventListener("resize", () => putPanel(panel));
    box.classList.add("ls-ready");
    return { show, ask, box };
  }

  // --- #q=... in the address asks the first box of the page ---

  const asked = () => new URLSearchParams(location.hash.slice(1)).get("q");

  document.addEventListener("DOMContentLoaded", () => {
    const places = [...document.querySelectorAll(".live-search")];
    if (!places.length || !window.LIVE_SEARCH) return;
    const index = makeIndex(window.LIVE_SEARCH);
    const boxes = places.map((box, i) => start(box, index, i + 1));
    const follow = () => {
      if (asked() === null) return;
      boxes[0].ask(asked());
      boxes[0].box.scrollIntoView({ block: "nearest" });
    };
    boxes.forEach((one) => one.show());
    follow();
    window.addEventListener("hashchange", follow);
    window.liveSearch = {
      read: (sentence) => read(index, sentence),
      search: (sentence, k) => search(index, sentence, k),
      near: (word) => nearWords(index, word),
    };
  });
})();
