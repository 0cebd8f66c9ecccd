// Draws the figures, whose content stands beside them as JSON, and sorts the tables.
"use strict";

// The buttons are named one by one, since some of Plotly's own lead out of the page.
const settings = {
  responsive: true,
  displaylogo: false,
  modeBarButtons: [["toImage", "resetScale2d"]],
};
// Under a finger a figure must not catch what is meant to scroll the page.
const dragmode = matchMedia("(pointer: coarse)").matches ? false : "zoom";

for (const plot of document.querySelectorAll("[data-drawing]")) {
  const drawing = JSON.parse(plot.dataset.drawing);
  Plotly.newPlot(plot, drawing.data, { ...drawing.layout, dragmode }, settings);
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
