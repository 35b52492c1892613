"use strict";
// Flux against wavelength on a canvas: drag to zoom, button or double-click to reset, move to read values, tick segments.
const DARK = matchMedia("(prefers-color-scheme: dark)");
const ORDER = { FUVA: 0, FUVB: 1, NUVA: 0, NUVC: 1, NUVB: 2 };
function colour(name) { return (DARK.matches ? ["#56b4e9", "#e69f00", "#2fc79a"] : ["#0072b2", "#d55e00", "#009e73"])[ORDER[name] ?? 0]; }
const MARGIN = { left: 72, right: 12, top: 12, bottom: 42 };
const REACH = 5; // pixels beside a point at which the pointer is still over it
const box = document.getElementById("spectrum");
const canvas = box.querySelector("canvas");
const readout = box.querySelector(".readout");
const context = canvas.getContext("2d");
let segments = [], view = null, drag = null;

function shown() { return segments.filter((segment) => segment.on); }

function percentile(sorted, fraction) { return sorted[Math.min(sorted.length - 1, Math.floor(fraction * sorted.length))]; }

// View of a wavelength range, with the fluxes that most of its points have.
function viewOf(from, to) {
  let x0 = Infinity, x1 = -Infinity;
  const flux = [];
  for (const segment of shown()) for (let i = 0; i < segment.x.length; i++) {
    if (segment.x[i] < from || segment.x[i] > to) continue;
    x0 = Math.min(x0, segment.x[i]); x1 = Math.max(x1, segment.x[i]); flux.push(segment.y[i]);
  }
  if (flux.length < 2) return view || { x0: 0, x1: 1, y0: 0, y1: 1 };
  if (from !== -Infinity) { x0 = from; x1 = to; }
  flux.sort((a, b) => a - b);
  const low = percentile(flux, 0.005), high = percentile(flux, 0.995), margin = 0.15 * (high - low) || Math.abs(high) || 1;
  return { x0, x1, y0: low - margin, y1: high + margin };
}

function wholeView() { return viewOf(-Infinity, Infinity); }

function size() { return { w: canvas.clientWidth, h: canvas.clientHeight }; }
function px(x) { return MARGIN.left + (x - view.x0) / (view.x1 - view.x0) * (size().w - MARGIN.left - MARGIN.right); }
function py(y) { return MARGIN.top + (view.y1 - y) / (view.y1 - view.y0) * (size().h - MARGIN.top - MARGIN.bottom); }
function wavelength(p) { return view.x0 + (p - MARGIN.left) / (size().w - MARGIN.left - MARGIN.right) * (view.x1 - view.x0); }

function ticks(low, high, count) {
  const raw = (high - low) / count, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw);
  const found = [];
  for (let t = Math.ceil(low / step) * step; t <= high; t += step) found.push(t);
  return found;
}

function draw() {
  const { w, h } = size(), ratio = devicePixelRatio || 1;
  canvas.width = w * ratio; canvas.height = h * ratio; context.setTransform(ratio, 0, 0, ratio, 0, 0);
  const style = getComputedStyle(document.body);
  context.clearRect(0, 0, w, h); context.font = "12px system-ui, sans-serif"; context.fillStyle = style.color;
  context.strokeStyle = style.getPropertyValue("--line"); context.lineWidth = 1;
  for (const t of ticks(view.x0, view.x1, Math.max(3, w / 120))) {
    context.beginPath(); context.moveTo(px(t), MARGIN.top); context.lineTo(px(t), h - MARGIN.bottom); context.stroke();
    context.textAlign = "center"; context.fillText(String(+t.toPrecision(8)), px(t), h - MARGIN.bottom + 16);
  }
  for (const t of ticks(view.y0, view.y1, 6)) {
    context.beginPath(); context.moveTo(MARGIN.left, py(t)); context.lineTo(w - MARGIN.right, py(t)); context.stroke();
    context.textAlign = "right"; context.fillText(t === 0 ? "0" : t.toExponential(1), MARGIN.left - 6, py(t) + 4);
  }
  context.textAlign = "center"; context.fillText("wavelength (Å)", w / 2, h - 6);
  context.save(); context.translate(12, h / 2); context.rotate(-Math.PI / 2); context.fillText("flux (erg/s/cm²/Å)", 0, 0); context.restore();
  context.save(); context.beginPath(); context.rect(MARGIN.left, MARGIN.top, w - MARGIN.left - MARGIN.right, h - MARGIN.top - MARGIN.bottom); context.clip();
  for (const segment of shown()) {
    context.strokeStyle = colour(segment.name); context.beginPath();
    let last = null;
    for (let i = 0; i < segment.x.length; i++) {
      if (segment.x[i] < view.x0 || segment.x[i] > view.x1) { last = null; continue; }
      const x = px(segment.x[i]), y = py(segment.y[i]);
      if (last === null) context.moveTo(x, y); else context.lineTo(x, y);
      last = x;
    }
    context.stroke();
  }
  if (drag) { context.fillStyle = "rgba(86,180,233,.25)"; context.fillRect(Math.min(drag.from, drag.to), MARGIN.top, Math.abs(drag.to - drag.from), h - MARGIN.top - MARGIN.bottom); }
  context.restore();
}

function nearest(segment, wave) {
  let best = 0;
  for (let i = 1; i < segment.x.length; i++) if (Math.abs(segment.x[i] - wave) < Math.abs(segment.x[best] - wave)) best = i;
  return best;
}

// Point of a segment under the pointer: none in the margins, and none where the nearest one is farther than points are
// from each other and than a pointer can be held.
function under(segment, position) {
  if (!segment.x.length || position < MARGIN.left - REACH || position > size().w - MARGIN.right + REACH) return null;
  const i = nearest(segment, wavelength(position)), away = Math.abs(px(segment.x[i]) - position);
  return away <= Math.max(REACH, Math.abs(px(segment.x[0] + segment.step) - px(segment.x[0]))) ? i : null;
}

function tell(position) {
  readout.textContent = shown().map((segment) => [segment, under(segment, position)]).filter(([, i]) => i !== null).map(([segment, i]) =>
    `${segment.name}: ${segment.x[i].toFixed(2)} Å, ${segment.y[i].toExponential(3)} ± ${(segment.e[i] ?? NaN).toExponential(1)}`).join("   ") || "No spectrum there.";
}

function listen() {
  canvas.addEventListener("pointerdown", (event) => { drag = { from: event.offsetX, to: event.offsetX }; canvas.setPointerCapture(event.pointerId); });
  canvas.addEventListener("pointermove", (event) => { tell(event.offsetX); if (drag) { drag.to = event.offsetX; draw(); } });
  addEventListener("pointerup", () => {
    if (!drag) return;
    const [a, b] = [drag.from, drag.to].map(wavelength).sort((p, q) => p - q);
    if (Math.abs(drag.to - drag.from) > 5) view = viewOf(a, b);
    drag = null; draw();
  });
  addEventListener("pointercancel", () => { drag = null; draw(); });
  box.querySelector("button").addEventListener("click", () => { view = wholeView(); draw(); });
  DARK.addEventListener("change", () => { for (const segment of segments) segment.label.style.color = colour(segment.name); draw(); });
  canvas.addEventListener("dblclick", () => { view = wholeView(); draw(); });
  addEventListener("resize", draw);
}

async function start() {
  const answer = await fetch(box.dataset.url);
  if (!answer.ok) { readout.textContent = (await answer.json()).error.message; return; }
  const legend = box.querySelector(".legend");
  segments = (await answer.json()).segments.map((segment) => {
    const good = segment.dq_wgt.map((weight, i) => [weight, i]).filter(([weight, i]) => weight > 0 && segment.flux[i] !== null && segment.wavelength[i] !== null).map(([, i]) => i);
    good.sort((a, b) => segment.wavelength[a] - segment.wavelength[b]);
    const steps = good.slice(1).map((i, n) => segment.wavelength[i] - segment.wavelength[good[n]]).sort((a, b) => a - b);
    return { name: segment.segment, on: true, step: steps.length ? percentile(steps, 0.5) : 0, x: good.map((i) => segment.wavelength[i]), y: good.map((i) => segment.flux[i]), e: good.map((i) => segment.error[i]) };
  });
  for (const segment of segments) {
    const label = document.createElement("label"), tick = document.createElement("input");
    tick.type = "checkbox"; tick.checked = true;
    tick.addEventListener("change", () => { segment.on = tick.checked; view = wholeView(); draw(); });
    label.append(tick, ` ${segment.name}`); segment.label = label; label.style.color = colour(segment.name); legend.append(label);
  }
  view = wholeView(); listen(); draw();
}

start();
