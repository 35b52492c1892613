"use strict";
// Reload the overview when something happens, at most once in two seconds.
const source = new EventSource("/api/v1/events");
let due = false;
const names = ["discovered", "incomplete", "fetched", "calibrated", "ingested", "failed", "skipped", "forced"].map((name) => `dataset.${name}`);
for (const name of [...names, "job.retried", "job.requeued", "job.dropped"]) {
  source.addEventListener(name, () => {
    if (!due) { due = true; setTimeout(() => location.reload(), 2000); }
  });
}
addEventListener("pagehide", () => source.close());
