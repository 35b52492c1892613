"use strict";
// Renew the parts of the page marked data-live when something happens, at most once in two seconds.
const parts = [...document.querySelectorAll("[data-live]")].map((part) => part.id);
const rootname = parts.length ? document.getElementById(parts[0]).dataset.live : "";
const names = {
  dataset: ["discovered", "incomplete", "downloaded", "fetched", "calibrated", "ingested", "failed", "skipped", "forced"],
  job: ["retried", "requeued", "dropped"], monitor: ["updated", "failed"], alert: ["opened", "resolved", "acknowledged"],
};
const source = new EventSource("/api/v1/events");
let due = false;

async function renew() {
  due = false;
  const answer = await fetch(location.href);
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const id of parts) {
    const now = fresh.getElementById(id), before = document.getElementById(id);
    if (!now) continue;
    for (const { id: open } of before.querySelectorAll("details[id][open]")) now.querySelector(`#${open}`)?.setAttribute("open", "");
    before.replaceWith(now);
  }
  // The first product of a dataset brings sections that were not there.
  if (fresh.getElementById("spectrum") && !document.getElementById("spectrum")) location.reload();
}

for (const name of Object.entries(names).flatMap(([what, facts]) => facts.map((fact) => `${what}.${fact}`))) {
  source.addEventListener(name, (event) => {
    if (due || (rootname && JSON.parse(event.data).rootname !== rootname)) return;
    due = true; setTimeout(renew, 2000);
  });
}
addEventListener("pagehide", () => source.close());
