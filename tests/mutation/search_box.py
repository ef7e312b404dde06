"""Faults of the search box (xmrlib/live_page/search.js): what stands there, and what a slip would make of it."""

FAULTS = [
    ("- index.data.zero;", "- index.data.zero - 1;"),
    (
        "const dot = (a, b) => a.reduce((sum, value, j) => sum + value * b[j], 0);",
        "const dot = (a, b) => a.reduce((sum, value, j) => sum + Math.abs(value * b[j]), 0);",
    ),
    ('text.toLowerCase().normalize("NFKD")', 'text.normalize("NFKD")'),
    ('.replace(/[\\u0300-\\u036f]/g, "")', ""),
    ("if (stem.length > 2) forms.push(stem);", "if (stem.length > 9) forms.push(stem);"),
    ("const RUN = /[a-z]+|[\\u4e00-\\u9fff]+|", "const RUN = /[a-z]+|"),
    ("if (best[start] + cost < best[end])", "if (best[start] + cost > best[end])"),
    ("sentence.slice(0, index.data.limit)).match(RUN)", "sentence).match(RUN)"),
    ("(found.get(word) || 0) + 1);", "1);"),
    ("all[b] - all[a] || a - b).slice(0, k)", "all[a] - all[b] || a - b).slice(0, k)"),
    ("all[b] - all[a] || a - b).slice(0, k)", "all[b] - all[a] || b - a).slice(0, k)"),
    (".sort((a, b) => b.points - a.points)", ".sort((a, b) => a.points - b.points)"),
    ("points: count * dot(", "points: dot("),
    ('part.points < 0 ? "ls-bar ls-against" : "ls-bar"', 'part.points > 0 ? "ls-bar ls-against" : "ls-bar"'),
    (": `${picture}.webp`;", ": `${picture + 1}.webp`;"),
    ("caption = index.data.captions[picture];", "caption = index.data.captions[picture + 1];"),
    ("card(index, id, i + 1, base, panel.node.id)", "card(index, id, i, base, panel.node.id)"),
    ("next[j] = Math.min(next[j], before[j - 2] + 1);", "next[j] = next[j] + 0;"),
    ("a.far - b.far || b.alike - a.alike", "b.far - a.far || b.alike - a.alike"),
    ("if (chinese) names.push(", "if (!chinese) names.push("),
    (
        "openPanel(panel, opened, reasons(index, words, Number(opened.dataset.picture)))",
        "openPanel(panel, opened, reasons(index, words, 0))",
    ),
    ('if (event.key === "Escape") closeAndReturn();', 'if (event.key === "Enter") closeAndReturn();'),
    ("boxes[0].ask(asked());", 'boxes[0].ask("");'),
]
