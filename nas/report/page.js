// Draws the figures, whose content stands beside them as JSON, leads from their points to the networks,
// and sorts the tables.
"use strict";

// Under a finger a figure must not catch what is meant to scroll the page; and buttons for the zoom that it
// then lacks would be too small to hit.
const finger = matchMedia("(pointer: coarse)").matches;
const dragmode = finger ? false : "zoom";
// The buttons are named one by one, since some of Plotly's own lead out of the page.
const settings = {
  responsive: true,
  displaylogo: false,
  displayModeBar: finger ? false : "hover",
  modeBarButtons: [["toImage", "resetScale2d"]],
};

for (const plot of document.querySelectorAll("[data-drawing]")) {
  const drawing = JSON.parse(plot.dataset.drawing);
  Plotly.newPlot(plot, drawing.data, { ...drawing.layout, dragmode }, settings);
  plot.on("plotly_hover", ({ points }) => plot.classList.toggle("leads", Boolean(networkOf(points))));
  plot.on("plotly_unhover", () => plot.classList.remove("leads"));
  plot.on("plotly_click", ({ points }) => leadTo(networkOf(points)));
  const views = plot.previousElementSibling?.querySelectorAll("[data-view]") ?? [];
  for (const button of views) {
    button.addEventListener("click", () => {
      Plotly.relayout(plot, JSON.parse(button.dataset.view));
      for (const other of views) other.setAttribute("aria-pressed", other === button);
    });
  }
}

// A point carries the number of its trial, or the name of a part of the page; trainings that failed or go
// on have no network to show.
function networkOf(points) {
  const part = (name) => document.getElementById(`trial-${name}`) ?? document.getElementById(name);
  return points.map((point) => part(point.customdata)).find(Boolean);
}

// The style sheet shows the network that the address names.
function leadTo(network) {
  if (!network) return;
  location.hash = network.id;
  network.scrollIntoView(); // the address may have named it already
}

// Figures are compared as figures, everything else as text.
function compare(one, other) {
  const [a, b] = [Number(one), Number(other)];
  return Number.isNaN(a) || Number.isNaN(b) ? one.localeCompare(other) : a - b;
}

function sortBy(header) {
  const ascending = header.getAttribute("aria-sort") !== "ascending";
  const body = header.closest("table").tBodies[0];
  const value = (row) => row.cells[header.cellIndex].dataset.value;
  const rows = [...body.rows].sort((a, b) => compare(value(a), value(b)) * (ascending ? 1 : -1));
  for (const other of header.parentElement.cells) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", ascending ? "ascending" : "descending");
  body.append(...rows);
}

for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => sortBy(button.closest("th")));
}
