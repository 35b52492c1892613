"use strict";
// The page of a recalibration: what it is at is renewed while it waits or runs; a token cancels or promotes it.
const control = document.getElementById("control"), says = control.querySelector(".readout");
const number = control.dataset.calibration, PENDING = ["queued", "running"];
const found = () => document.getElementById("found");

// One button: what can be done to it now.
function offer() {
  const { state, promotable } = found().dataset, button = control.elements.act;
  button.value = PENDING.includes(state) ? "cancel" : "promote";
  button.textContent = button.value === "cancel" ? "Cancel" : "Promote";
  control.hidden = button.value === "promote" && promotable !== "yes";
}

async function renew() {
  const answer = await fetch(location.href);
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("found");
  if (fresh.querySelector("[data-figure]")) { location.reload(); return; }
  found().replaceWith(document.adoptNode(fresh));
  offer();
}

async function send() {
  const what = control.elements.act.value;
  try {
    const headers = { Authorization: `Bearer ${control.elements.token.value}` };
    const answer = await fetch(`/api/v1/calibrations/${number}/${what}`, { method: "POST", headers });
    if (!answer.ok) throw new Error((await answer.json()).error.message);
    says.textContent = "";
    await renew();
  } catch (error) { says.textContent = error.message; }
}

control.addEventListener("submit", (event) => { event.preventDefault(); send(); });
setInterval(() => { if (PENDING.includes(found().dataset.state)) renew().catch(() => {}); }, 2000);
offer();
