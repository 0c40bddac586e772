"""How the page looks: one style sheet, and the colours that charts need by value.

Not layout. Contrast of text on its ground is 4.5 or more (WCAG 2.2, 1.4.3).
"""

INK = "#1c2b2a"
LINE_COLOURS = ("#0f766e", "#b45309", "#4f46e5", "#be185d", "#0369a1", "#4d7c0f")

CSS = """
:root { --ink:#1c2b2a; --quiet:#556664; --ground:#f4f6f4; --card:#fff; --rule:#e2e8e5;
  --good:#0f766e; --fault:#b3261e; --unknown:#8a6d1b; }
body { background:var(--ground); color:var(--ink); }
body, .q-btn, .q-field__native { font-family:system-ui,"Segoe UI",Roboto,sans-serif; }
.nicegui-content { padding:0; align-items:stretch; }
.page { width:100%; max-width:1160px; margin:0 auto; padding:22px 20px 40px; display:flex;
  flex-direction:column; gap:14px; }
.row { display:flex; align-items:center; gap:12px; flex-wrap:wrap; }
.between { justify-content:space-between; }
.h1 { font-size:26px; font-weight:650; letter-spacing:-.01em; line-height:1.2; }
.h2 { font-size:17px; font-weight:600; }
.head { margin-top:10px; }
.hint { font-size:12.5px; color:var(--quiet); line-height:1.35; }
.name { font-weight:600; font-size:15px; }
.card { background:var(--card); border:1px solid var(--rule); border-radius:14px;
  padding:16px 18px; }
.languages { display:flex; gap:4px; font-size:13px; }
.languages a { color:var(--quiet); text-decoration:none; padding:6px 10px; border-radius:8px; }
.languages a.here { color:var(--ink); background:#e6ebe8; font-weight:600; }
.verdict, .tiles { display:grid; gap:14px; }
.verdict { grid-template-columns:repeat(4,1fr); }
.tiles { grid-template-columns:repeat(6,1fr); }
.tile { display:flex; flex-direction:column; gap:2px; min-width:0; }
.tile .what { font-size:13px; color:var(--quiet); }
.tile .value { font-size:22px; font-weight:600; font-variant-numeric:tabular-nums;
  line-height:1.25; }
.verdict .value { font-size:34px; }
.zero .value { color:var(--good); }
.zero .value.bad { color:var(--fault); }
.buttons { display:flex; gap:10px; flex-wrap:wrap; }
.press.q-btn { background:#fff; color:var(--ink); border:1px solid #cbd5d1;
  border-radius:10px; padding:7px 14px; font-weight:550; }
.press.q-btn .q-icon { color:var(--fault); font-size:19px; margin-right:6px; }
.curves { display:grid; grid-template-columns:repeat(2,1fr); gap:14px; }
.curve { padding-bottom:8px; min-width:0; }
.curve .newest { font-size:18px; font-weight:600; font-variant-numeric:tabular-nums; }
.curve .between:nth-child(2) { min-height:36px; }
.curve .points .q-field__control, .curve .points .q-field__marginal { min-height:34px;
  height:34px; }
.curve .points .q-field__native { min-height:34px; }
.curve .points { font-size:13px; max-width:180px; }
.chart { height:180px; width:100%; }
.log { font:12.5px/1.6 ui-monospace,"DejaVu Sans Mono",monospace; color:#33413f;
  overflow-x:auto; white-space:pre; }
svg.site { width:100%; height:auto; display:block; }
.phone-only { display:none; }
.node .box { fill:#fff; stroke:var(--rule); stroke-width:1.5; }
.node .icon path { fill:none; stroke:var(--quiet); stroke-width:1.6; stroke-linejoin:round;
  stroke-linecap:round; }
.node .name { font-size:14.5px; font-weight:600; fill:var(--ink); }
.node .words { font-size:11.5px; fill:var(--quiet); }
.node.good .dot { fill:var(--good); } .node.fault .dot { fill:var(--fault); }
.node.unknown .dot { fill:#fff; stroke:var(--unknown); stroke-width:2; }
.node.fault .box { stroke:var(--fault); fill:#fdf3f2; }
.node.fault .words { fill:var(--fault); }
.wire path { fill:none; stroke:#cfd8d4; stroke-width:2; }
.wire.fault path { stroke:var(--fault); stroke-dasharray:3 6; }
.wire.unknown path { stroke-dasharray:2 6; }
.wire .flow { stroke:var(--good); stroke-dasharray:5 19; animation:flow 1.4s linear infinite; }
.break { stroke:var(--fault); stroke-width:3; stroke-linecap:round; fill:none; }
@keyframes flow { from { stroke-dashoffset:24; } to { stroke-dashoffset:0; } }
@media (prefers-reduced-motion: reduce) { .wire .flow { animation:none; } }
@media (max-width:1000px) { .tiles { grid-template-columns:repeat(3,1fr); } }
@media (max-width:640px) {
  .page { padding:16px 12px 32px; gap:10px; }
  .verdict, .tiles { grid-template-columns:repeat(2,1fr); gap:10px; }
  .curves { grid-template-columns:1fr; }
  .verdict .value { font-size:28px; }
  .buttons { width:100%; flex-direction:column; }
  .press.q-btn { width:100%; min-height:44px; }
  .wide-only { display:none; } .phone-only { display:block; max-width:360px; margin:0 auto; }
  .card { padding:13px 14px; }
}
"""
