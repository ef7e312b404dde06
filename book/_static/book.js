// Small repairs of the theme: names for what has none, wide content that the keyboard can scroll.
(() => {
  "use strict";
  const all = (selector) => [...document.querySelectorAll(selector)];
  const WIDE = ".bd-article :is(pre, div.math, .table-box, mjx-container)";

  function nameParts() {
    for (const summary of all(".bd-sidebar-primary details > summary")) {
      const link = summary.closest("li")?.querySelector("a");
      summary.setAttribute("aria-label", `Sections of ${link?.textContent.trim() ?? "this chapter"}`);
    }
    for (const logo of all(".bd-sidebar-primary .navbar-brand")) {
      logo.parentElement.setAttribute("role", "navigation");
      logo.parentElement.setAttribute("aria-label", "Home");
    }
    for (const player of all(".bd-article :is(audio, video):not([aria-label])")) {
      const caption = player.closest("figure")?.querySelector("figcaption")?.textContent.trim();
      player.setAttribute("aria-label", caption || "Player of the sound made by this cell");
    }
  }

  function boxTables() {
    for (const table of all(".bd-article table")) {
      if (table.closest(".table-box, .highlighttable")) continue;
      const box = document.createElement("div");
      box.className = "table-box";
      table.replaceWith(box);
      box.append(table);
    }
  }

  // A box that scrolls must be a stop of the Tab key, one that does not must not be.
  function markScrollable() {
    for (const box of all(WIDE)) {
      const scrolls = box.scrollWidth > box.clientWidth + 1 && /auto|scroll/.test(getComputedStyle(box).overflowX);
      if (scrolls && !box.hasAttribute("data-scrolls")) {
        box.setAttribute("data-scrolls", "");
        box.tabIndex = 0;
        box.setAttribute("role", "group");
        box.setAttribute("aria-label", "Wide content, scrolls sideways");
      } else if (!scrolls && box.hasAttribute("data-scrolls")) {
        for (const name of ["data-scrolls", "tabindex", "role", "aria-label"]) box.removeAttribute(name);
      }
    }
  }

  // Paper is white: print in the light theme, whatever the screen shows.
  function printLight() {
    let shown = null;
    addEventListener("beforeprint", () => {
      shown = document.documentElement.dataset.theme;
      document.documentElement.dataset.theme = "light";
    });
    addEventListener("afterprint", () => { document.documentElement.dataset.theme = shown; });
  }

  function start() {
    printLight();
    nameParts();
    boxTables();
    markScrollable();
    new ResizeObserver(markScrollable).observe(document.body);
    addEventListener("load", () => window.MathJax?.startup?.promise?.then(markScrollable));
    document.addEventListener("toggle", markScrollable, true);
    document.addEventListener("click", () => setTimeout(markScrollable, 300));
  }
  if (document.readyState === "loading") addEventListener("DOMContentLoaded", start);
  else start();
})();

// Chromium keeps the first Chinese word in the wrong font when our own arrives late. Kerning off and on again makes it
// shape all text anew.
document.fonts.addEventListener("loadingdone", (event) => {
  if (!event.fontfaces.some((face) => face.family.includes("xmrlib"))) return;
  const style = document.documentElement.style;
  style.fontKerning = "none";
  setTimeout(() => { style.fontKerning = ""; }, 100);
});
