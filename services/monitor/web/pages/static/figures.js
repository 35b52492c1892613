"use strict";
// Draw the figures of a monitor: zoom, legend, date range, hover; a click on a point leads to its dataset.
const DARK = matchMedia("(prefers-color-scheme: dark)");
const CONFIG = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d"] };
const NARROW = 640;

// Plotly sets attributes of style, which the page's policy refuses; what is set through CSSOM it allows.
const setAttribute = Element.prototype.setAttribute;
Element.prototype.setAttribute = function (name, value) {
  if (name === "style") this.style.cssText = value; else setAttribute.call(this, name, value);
};

const RANGES = [
  { count: 1, label: "1 y", step: "year", stepmode: "backward" },
  { count: 5, label: "5 y", step: "year", stepmode: "backward" },
  { label: "all", step: "all" },
];

function style(name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); }

// Colours of the page, and a layout that fits its width.
function dress(layout) {
  const ink = style("--ink"), line = style("--line");
  const dressed = { ...layout, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: ink, size: 12 } };
  // Its own background would be half of the paper's colour, which is transparent black.
  dressed.modebar = { bgcolor: "rgba(0,0,0,0)", color: style("--quiet"), activecolor: ink };
  const narrow = innerWidth < NARROW, { t, b } = layout.margin;
  // Where it is narrow, the buttons of the range stand in a row of their own, above the titles of panels.
  const row = narrow && layout.xaxis?.type === "date" ? 40 : 0;
  const place = row ? 1 + 20 / (layout.height - t - b) : 1.02;
  for (const [name, axis] of Object.entries(layout)) {
    if (!/^[xy]axis/.test(name)) continue;
    dressed[name] = { ...axis, gridcolor: line, linecolor: line, zerolinecolor: line, automargin: true };
    if (name === "xaxis" && axis.type === "date") {
      dressed[name].rangeselector = { buttons: RANGES, bgcolor: style("--soft"), activecolor: line, x: 0.5, xanchor: "center", y: place, yanchor: "bottom" };
    }
  }
  if (narrow) dressed.margin = { ...layout.margin, l: 45, r: 8, t: t + row };
  dressed.height = layout.height + row;
  return dressed;
}

function hover(trace) {
  if (!trace.type.startsWith("scatter") || trace.mode !== "markers") return trace;
  return { ...trace, hovertemplate: "%{x}<br>%{y}<br>%{text}<extra>%{fullData.name}</extra>" };
}

async function draw(place) {
  try {
    const { figure: address, narrow = address } = place.dataset;
    const answer = await fetch(innerWidth < NARROW ? narrow : address);
    if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
    const figure = await answer.json();
    place.replaceChildren();
    const { margin, height } = figure.layout;
    place.given = { margin, height };
    const layout = dress(figure.layout);
    place.style.minHeight = `${layout.height}px`; // Plotly forgets its height when the width of the window changes
    await Plotly.newPlot(place, figure.data.map(hover), layout, CONFIG);
    place.on("plotly_click", (event) => {
      const rootname = event.points[0].customdata;
      if (rootname) location.href = `/datasets/${rootname}`;
    });
    place.dataset.drawn = "yes";
  } catch (error) {
    place.textContent = `The figure could not be drawn: ${error.message}`;
  }
}

// Figures further down are drawn when they come near.
const watch = new IntersectionObserver((entries) => {
  for (const entry of entries) if (entry.isIntersecting) { watch.unobserve(entry.target); draw(entry.target); }
}, { rootMargin: "600px" });
const places = [...document.querySelectorAll("[data-figure]")];
for (const place of places) watch.observe(place);
DARK.addEventListener("change", () => {
  // As it is zoomed, but for what was made to fit.
  for (const place of places) if (place.dataset.drawn) Plotly.relayout(place, dress({ ...place.layout, ...place.given }));
});
