"use strict";
// The form of a recipe: fields write into the recipe, its changes are listed, then the very same recipe may run.
const form = document.getElementById("recalibrate");
const says = form.querySelector(".readout"), list = form.querySelector(".changes"), fields = form.elements;
const ENDED = ["done", "failed", "cancelled"];
let listed = null;
let written = []; // by the fields: part, name, value, and what was there before

function write(recipe) { fields.recipe.value = JSON.stringify(recipe, null, 1); forget(); }
function forget() { listed = null; fields.run.disabled = true; }

// Set a part of the recipe, or take it out where there is nothing to set.
function place(recipe, part, name, value) {
  const inner = { ...recipe[part] };
  if (value === null) delete inner[name]; else inner[name] = value;
  if (Object.keys(inner).length) recipe[part] = inner; else delete recipe[part];
}

// What the fields ask for: part of the recipe, name, value.
function asked() {
  const algorithm = fields.algorithm.value, every = Number(fields.every.value), found = [];
  const omitted = fields.omit.value.split(",").map((name) => name.trim().toUpperCase()).filter(Boolean);
  // BOXCAR takes the spectrum where it fell; these two straighten and align it for TWOZONE.
  if (algorithm === "BOXCAR") omitted.push("TRCECORR", "ALGNCORR");
  if (algorithm) found.push(["keywords", "XTRCTALG", algorithm]);
  for (const name of omitted) found.push(["switches", name, "OMIT"]);
  if (every > 0) found.push(["sub_exposures", "every", every]);
  const dropped = [...(fields.drop?.selectedOptions ?? [])].map((option) => option.value);
  if (dropped.length) found.push(["members", "drop", dropped]);
  return found;
}

// Put back what the fields replaced, where it was not changed by hand since, and set what they ask for now: all else
// in the recipe was typed and stays.
function fill() {
  let recipe;
  try { recipe = JSON.parse(fields.recipe.value); } catch (error) { says.textContent = `The recipe is not valid JSON: ${error.message}`; return; }
  if (recipe === null || typeof recipe !== "object" || Array.isArray(recipe)) { says.textContent = "The recipe is not a JSON object."; return; }
  for (const [part, name, value, before] of written.reverse()) {
    if (JSON.stringify(recipe[part]?.[name]) === JSON.stringify(value)) place(recipe, part, name, before);
  }
  written = asked().map(([part, name, value]) => {
    const before = recipe[part]?.[name] ?? null;
    place(recipe, part, name, value);
    return [part, name, value, before];
  });
  says.textContent = "";
  write(recipe);
}

async function call(path, body) {
  const headers = { Authorization: `Bearer ${fields.token.value}`, "Content-Type": "application/json" };
  const answer = await fetch(`/api/v1${path}`, body ? { method: "POST", headers, body: JSON.stringify(body) } : {});
  const content = await answer.json();
  if (!answer.ok) throw new Error(content.error.message);
  return content;
}

function show(found) {
  const lines = [...found.warnings.map((text) => [text, "warning"]), ...found.changes.map((change) => [`${change.file}: ${change.text}`, ""])];
  list.replaceChildren(...lines.map(([text, kind]) => Object.assign(document.createElement("li"), { textContent: text, className: kind })));
}

async function ask(dry) {
  forget();
  list.replaceChildren();
  try {
    const text = fields.recipe.value;
    let found = await call("/calibrations", { rootname: form.dataset.rootname, recipe: JSON.parse(text), dry_run: dry });
    if (!dry) { location.href = `/calibrations/${found.id}`; return; }
    while (!ENDED.includes(found.state)) {
      says.textContent = `Calibration ${found.id}: ${found.state} …`;
      await new Promise((resolve) => setTimeout(resolve, 500));
      found = await call(`/calibrations/${found.id}`);
    }
    if (found.state !== "done") throw new Error(found.error ?? found.state);
    says.textContent = found.changes.length ? `${found.changes.length} changes:` : "The recipe changes nothing.";
    show(found);
    if (text === fields.recipe.value) { listed = text; fields.run.disabled = false; }
  } catch (error) { says.textContent = error.message; }
}

for (const name of ["algorithm", "omit", "every", "drop"]) fields[name]?.addEventListener("change", fill);
fields.recipe.addEventListener("input", forget);
form.addEventListener("submit", (event) => { event.preventDefault(); ask(true); });
fields.run.addEventListener("click", () => { if (listed === fields.recipe.value) ask(false); });
