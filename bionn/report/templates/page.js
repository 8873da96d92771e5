// Reads out the cell of a substitution map under the pointer or the arrow keys. The page is whole without it.
"use strict";
// What need not scroll, and has nothing to read out, need not be a stop of the tab key.
for (const box of document.querySelectorAll(".scroll:not([data-heat]), pre[tabindex]")) {
  new ResizeObserver(() => { box.tabIndex = box.scrollWidth > box.clientWidth ? 0 : -1; }).observe(box);
}
for (const box of document.querySelectorAll("[data-heat]")) {
  const data = JSON.parse(document.getElementById(box.dataset.heat).textContent);
  const readout = document.getElementById(box.dataset.heat + "-readout");
  const svg = box.querySelector("svg");
  const cursor = svg.querySelector(".cursor");
  const last = data.sequence.length - 1;
  const number = new Intl.NumberFormat("en", { maximumSignificantDigits: 3, signDisplay: "exceptZero" });
  let position = 0;
  let letter = 0;

  const rowOf = (p) => data.firsts.findLastIndex((first) => first <= p);

  function show(p, k) {
    position = Math.min(Math.max(p, 0), last);
    letter = Math.min(Math.max(k, 0), data.letters.length - 1);
    const row = rowOf(position);
    cursor.setAttribute("x", data.left + data.cell * (position - data.firsts[row]));
    cursor.setAttribute("y", data.top + data.rowHeight * row + data.cellHeight * letter);
    cursor.setAttribute("visibility", "visible");
    const from = data.sequence[position];
    const to = data.letters[letter];
    const change = from.toUpperCase() === to ? "as it is" : number.format(data.effects[position][letter]).replace("-", "−");
    readout.textContent = `position ${data.start + position}, ${from} → ${to}: ${change}`;
  }

  function follow(event) {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    const row = Math.floor((point.y - data.top) / data.rowHeight);
    const k = Math.floor((point.y - data.top - row * data.rowHeight) / data.cellHeight);
    const first = data.firsts[row];
    const next = data.firsts[row + 1] ?? last + 1;
    const p = first + Math.floor((point.x - data.left) / data.cell);
    if (first !== undefined && k >= 0 && k < data.letters.length && p >= first && p < next) show(p, k);
  }

  svg.addEventListener("pointermove", follow);
  svg.addEventListener("pointerdown", follow);
  box.addEventListener("focus", () => { if (!readout.textContent) show(position, letter); });
  box.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1], Home: [-last, 0], End: [last, 0] };
    const step = steps[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    show(position + step[0], letter + step[1]);
  });
  readout.setAttribute("aria-live", "polite");
}
