// Asks the server again when a number changes, and walks through the steps. The page works without it, by its buttons.
"use strict";
const slider = document.getElementById("step");
const stepName = document.getElementById("step-name");
const play = document.getElementById("play");
const still = matchMedia("(prefers-reduced-motion: reduce)");
let timer = null;

function showStep() {
  const now = Number(slider.value);
  for (const one of document.querySelectorAll("#network-part [data-step]")) {
    const step = Number(one.dataset.step);
    one.classList.toggle("later", step > now);
    one.classList.toggle("now", step === now && (timer !== null || now < Number(slider.max)));
  }
  const item = document.querySelector(`#network-part li[data-step="${now}"] b`);
  stepName.textContent = now === 0 ? "0: inputs and weights" : `${now}: ${item.textContent}`;
  slider.setAttribute("aria-valuetext", stepName.textContent);
}

function stop() {
  clearInterval(timer);
  timer = null;
  play.textContent = "Play";
  showStep();
}

slider.addEventListener("input", () => { if (timer !== null) stop(); else showStep(); });
play.addEventListener("click", () => {
  if (timer !== null) { stop(); return; }
  slider.value = 0;
  timer = setInterval(() => {
    slider.value = Number(slider.value) + 1;
    showStep();
    if (Number(slider.value) === Number(slider.max)) stop();
  }, still.matches ? 2500 : 1200);
  play.textContent = "Stop";
  showStep();
});

let latest = 0;

async function ask(form) {
  const part = form.dataset.part;
  const mine = ++latest;
  const message = document.getElementById(`${part}-message`);
  const query = new URLSearchParams(new FormData(form));
  let answer;
  try {
    answer = await fetch(`/${part}?${query}`);
  } catch {
    message.textContent = "The playground has stopped: start bionn playground again.";
    return;
  }
  const text = await answer.text();
  if (mine !== latest) return;
  const wrong = answer.ok ? "" : text.split(":")[0];
  for (const field of form.elements) {
    if (field.name) field.toggleAttribute("aria-invalid", false);
    if (field.name && field.name === wrong) field.setAttribute("aria-invalid", "true");
  }
  message.textContent = answer.ok ? "" : text;
  if (!answer.ok) return;
  document.getElementById(`${part}-part`).innerHTML = text;
  if (part === "network") showStep();
}

for (const form of document.querySelectorAll("form[data-part]")) {
  let wait = null;
  form.addEventListener("input", () => { clearTimeout(wait); wait = setTimeout(() => ask(form), 200); });
  form.addEventListener("submit", (event) => { event.preventDefault(); ask(form); });
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("#learn");
  if (!link) return;
  event.preventDefault();
  const form = document.querySelector("form[data-part=network]");
  for (const [name, value] of new URLSearchParams(link.getAttribute("href").slice(1))) form.elements[name].value = value;
  ask(form).then(() => document.getElementById("learn").focus());
});

document.querySelector(".player").hidden = false;
showStep();
