"""Style sheet of the page: one column, with a dark variant and one for print."""

STYLE_SHEET = """
:root {
  color-scheme: light dark;
  --paper: #fcfcfa; --card: #f3f3ef; --ink: #1c1f23; --soft: #5d636b; --rule: #dddcd6;
  --c0: #2f6db5; --c1: #c9582b; --c2: #2d8a5f; --c3: #8455a8; --c4: #a4741b; --c5: #b23a68;
  --good: #23804f; --bad: #b4412f;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #15171a; --card: #1e2125; --ink: #e4e6e8; --soft: #9aa1a9; --rule: #32363b;
    --c0: #76aaf0; --c1: #f0905f; --c2: #5cc795; --c3: #c098e4; --c4: #dcb252; --c5: #ee83ac;
    --good: #5cc795; --bad: #f0806c;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans",
    Arial, sans-serif;
  font-variant-numeric: tabular-nums;
}
main { max-width: 60rem; margin: 0 auto; padding: 3.5rem 1.5rem 4rem; }
h1 { font-size: 2rem; line-height: 1.2; font-weight: 650; letter-spacing: -.015em; margin: .2rem 0 .6rem; }
h2 {
  font-size: 1.2rem; font-weight: 650; margin: 3.2rem 0 1rem; padding-top: .9rem; border-top: 1px solid var(--rule);
}
h3 { font-size: 1rem; font-weight: 600; margin: 1.6rem 0 .4rem; }
p { margin: .5rem 0; max-width: 44rem; }
pre {
  margin: .6rem 0; padding: .9rem 1rem; background: var(--card); border-radius: 8px; font-size: .82rem;
  line-height: 1.6; white-space: pre-wrap; overflow-wrap: anywhere;
}
.problem { color: var(--bad); }
.over { color: var(--soft); font-size: .78rem; letter-spacing: .08em; text-transform: uppercase; margin: 0; }
.note, figcaption, footer { color: var(--soft); font-size: .86rem; }
.figures {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(8.1rem, 1fr)); gap: .75rem; margin: 1.8rem 0 .5rem;
}
.figures div { font-size: .9rem; line-height: 1.35; background: var(--card); border-radius: 8px; padding: .85rem 1rem; }
.figures b { display: block; font-size: 1.55rem; line-height: 1.25; font-weight: 650; letter-spacing: -.01em; }
.figures span { color: var(--soft); font-size: .8rem; display: block; margin-top: .15rem; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td {
  text-align: left; padding: .42rem .9rem .42rem 0; border-bottom: 1px solid var(--rule); vertical-align: baseline;
}
th { font-weight: 600; color: var(--soft); font-size: .82rem; }
thead th { border-bottom-color: var(--soft); }
tr.all td { font-weight: 600; }
td .ci { display: block; color: var(--soft); font-weight: 400; font-size: .84rem; white-space: nowrap; }
table.facts td:first-child { color: var(--soft); width: 15rem; }
.scroll { overflow-x: auto; }
figure { margin: 1rem 0; }
figcaption { margin-top: .35rem; }
img { display: block; max-width: 100%; border-radius: 6px; background: #181b1f; }
.films { display: grid; grid-template-columns: repeat(auto-fill, minmax(14rem, 1fr)); gap: 1rem; }
.films figure { margin: 0; }
.films img { width: 100%; } .wide img { min-width: min(100%, 30rem); }
.yes { color: var(--good); font-weight: 600; } .no { color: var(--bad); font-weight: 600; }
svg {
  display: block; width: 100%; height: auto; max-width: 46rem;
  font: 12px ui-sans-serif, system-ui, "Liberation Sans", Arial, sans-serif;
}
svg text { fill: var(--ink); }
svg .tick, svg .label { fill: var(--soft); font-size: 11px; }
svg .rule { stroke: var(--rule); stroke-width: 1; }
svg polyline { fill: none; stroke-linejoin: round; stroke-linecap: round; }
svg .raw { stroke-width: 1; opacity: .28; } svg .mean { stroke-width: 1.8; }
svg .whisker { stroke-width: 2; stroke-linecap: round; opacity: .55; }
details { margin: .8rem 0; } summary { cursor: pointer; color: var(--soft); font-size: .9rem; }
footer { margin-top: 3.5rem; border-top: 1px solid var(--rule); padding-top: .9rem; }
@media print {
  :root {
    color-scheme: light;
    --paper: #fff; --card: #f3f3ef; --ink: #000; --soft: #555; --rule: #ccc;
    --c0: #2f6db5; --c1: #c9582b; --c2: #2d8a5f; --c3: #8455a8; --c4: #a4741b; --c5: #b23a68;
    --good: #23804f; --bad: #b4412f;
  }
  body { font-size: 10.5pt; } main { max-width: none; padding: 0; }
  figure, table, .figures, svg { break-inside: avoid; } h2 { break-after: avoid; } .screen { display: none; }
}
"""
