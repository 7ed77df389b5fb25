"""The style sheet of the report page: light and dark, on a phone and on paper."""

CSS = """
:root { --page: #ffffff; --card: #f5f7f9; --ink: #1b2430; --muted: #5d6875; --rule: #d5dae0;
  --blue: #0072b2; --vermillion: #d55e00; --green: #009e73; --violet: #5b4fa2;
  color-scheme: light dark; }
@media (prefers-color-scheme: dark) {
  :root { --page: #14181d; --card: #1d232a; --ink: #e6eaef; --muted: #9fabb8; --rule: #39434e;
    --blue: #4ba6e3; --vermillion: #f0803a; --green: #27bf94; --violet: #a096e0; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 64rem; background: var(--page);
  color: var(--ink); font: 16px/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { margin: 0; font-size: 1.7rem; line-height: 1.2; overflow-wrap: anywhere; }
h2 { margin: 2.4rem 0 .6rem; font-size: 1.15rem; border-bottom: 1px solid var(--rule);
  padding-bottom: .25rem; }
p { margin: .5rem 0; max-width: 48rem; }
.quiet { color: var(--muted); font-size: .9rem; overflow-wrap: anywhere; }
.headline { display: grid; gap: .7rem; margin: 1.2rem 0;
  grid-template-columns: repeat(auto-fit, minmax(10.5rem, 1fr)); }
.headline div { background: var(--card); border-radius: .5rem; padding: .7rem .9rem; }
.headline dd { margin: 0; font-size: 1.5rem; font-weight: 650; line-height: 1.25;
  font-variant-numeric: tabular-nums; }
.headline dt { font-size: .85rem; }
.headline small { display: block; color: var(--muted); font-size: .78rem; line-height: 1.3;
  font-weight: 400; margin-top: .2rem; }
figure { margin: 0 0 1.2rem; overflow-x: auto; }
figure svg { display: block; width: 100%; height: auto; }
figure svg * { stroke-linejoin: round; stroke-linecap: butt; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .8rem .3rem 0; text-align: left; border-bottom: 1px solid var(--rule);
  vertical-align: top; }
th { font-weight: 600; white-space: nowrap; }
td.number, th.number { text-align: right; white-space: nowrap; }
td.long { overflow-wrap: anywhere; }
tr.chosen td { font-weight: 650; }
pre { background: var(--card); border-radius: .5rem; padding: .7rem .9rem; overflow-x: auto;
  font: .85rem/1.5 ui-monospace, "DejaVu Sans Mono", monospace; }
summary { cursor: pointer; font-weight: 600; padding: .3rem 0; }
li { max-width: 48rem; margin: .35rem 0; }
@media print { body { max-width: none; padding: 0; font-size: 11px; }
  figure svg { min-width: 0 !important; max-height: 23cm; }
  figure, tr, .headline div { break-inside: avoid; } h2 { break-after: avoid; }
  pre { white-space: pre-wrap; } }
"""
