// Everything here is convenience: without it the page shows the same, and its links lead to the same places.
"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const rows = [...document.querySelectorAll("#lines tbody tr")];
  const steps = [...document.querySelectorAll("a.step")];
  const linesOf = new Map();
  for (const row of rows) {
    const step = row.dataset.step;
    if (step) linesOf.set(step, [...(linesOf.get(step) ?? []), row]);
  }

  // Light or dark.
  const theme = $("theme");
  const themes = ["as the system", "light", "dark"];
  let chosen = 0;
  theme.hidden = false;
  theme.addEventListener("click", () => {
    chosen = (chosen + 1) % themes.length;
    theme.textContent = `Theme: ${themes[chosen]}`;
    if (chosen) document.documentElement.dataset.theme = themes[chosen];
    else delete document.documentElement.dataset.theme;
  });

  // A step and its log lines are selected together, from either side.
  function select(id, row) {
    for (const old of document.querySelectorAll(".selected")) old.classList.remove("selected");
    const step = id && $(id);
    const lines = linesOf.get(id) ?? [];
    if (step) {
      step.classList.add("selected");
      takeTab(step);
    }
    for (const line of row ? [row] : lines) line.classList.add("selected");
    history.replaceState(null, "", id ? `#${id}` : location.pathname + location.search);
    return { step, lines };
  }
  function showStep(step) {
    for (let box = step.closest("details"); box; box = box.parentElement.closest("details")) box.open = true;
    step.closest("article").scrollIntoView({ block: "nearest" });
    step.scrollIntoView({ block: "nearest", inline: "center" });
  }
  function showLine(line) {
    if (line.hidden) {
      $("filter").reset();
      filter();
    }
    line.scrollIntoView({ block: "nearest" });
  }

  // One step of each drawing is in the tab order; arrow keys go to the others.
  function takeTab(step) {
    for (const other of step.ownerSVGElement.querySelectorAll("a.step")) other.setAttribute("tabindex", other === step ? 0 : -1);
  }
  for (const drawing of document.querySelectorAll("svg.travel")) {
    const first = drawing.querySelector("a.step");
    if (first) takeTab(first);
    drawing.addEventListener("keydown", (event) => {
      const all = [...drawing.querySelectorAll("a.step")];
      const at = all.indexOf(event.target.closest("a.step"));
      const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: all.length - 1 }[event.key];
      if (at < 0 || to === undefined || !all[to]) return;
      event.preventDefault();
      all[to].focus();
      const { lines } = select(all[to].id);
      if (lines.length) showLine(lines[0]);
    });
  }
  for (const step of steps) {
    step.addEventListener("click", (event) => {
      event.preventDefault();
      const { lines } = select(step.id);
      if (!lines.length) return;
      showLine(lines[0]);
      // Whoever came by keyboard goes on in the log.
      if (event.detail === 0) lines[0].querySelector("a").focus();
    });
  }
  for (const row of rows) {
    if (!row.dataset.step) continue;
    row.addEventListener("click", (event) => {
      if (String(getSelection())) return;
      const link = event.target.closest("a");
      if (link) event.preventDefault();
      const { step } = select(row.dataset.step, row);
      if (!step) return;
      showStep(step);
      if (link) step.focus({ preventScroll: true });
    });
  }
  for (const bar of document.querySelectorAll(".timeline a, .verdict a")) {
    bar.addEventListener("click", (event) => {
      const id = bar.getAttribute("href").slice(1);
      if (!$(id)?.matches("a.step")) return;
      event.preventDefault();
      const { step, lines } = select(id);
      showStep(step);
      step.focus({ preventScroll: true });
      if (lines.length) showLine(lines[0]);
    });
  }
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") select("");
    if (event.key === "/" && !event.target.closest("input, select")) {
      event.preventDefault();
      $("find").focus();
    }
  });

  // The log's filter.
  const levels = { fatal: 1, error: 2, warning: 3, information: 4, verbose: 5 };
  function filter() {
    const find = $("find").value.toLowerCase();
    const [driver, level, request] = [$("driver").value, Number($("level").value), $("request").value];
    let shown = 0;
    for (const row of rows) {
      const of = row.dataset.step?.split("-")[0] ?? "";
      row.hidden =
        (row.dataset.earlier !== undefined && !$("earlier").checked) ||
        (driver && row.dataset.driver !== driver) ||
        levels[row.dataset.level] > level ||
        (request && of !== request) ||
        (find && !row.textContent.toLowerCase().includes(find));
      shown += !row.hidden;
    }
    $("count").textContent = `${shown} of ${rows.length} lines`;
  }
  $("filter").hidden = false;
  $("filter").addEventListener("input", filter);
  $("filter").addEventListener("submit", (event) => event.preventDefault());
  $("clear").addEventListener("click", () => {
    $("filter").reset();
    filter();
  });
  $("dock").addEventListener("click", () => {
    const lines = $("lines");
    lines.hidden = !lines.hidden;
    $("dock").textContent = lines.hidden ? "Show" : "Hide";
    $("dock").setAttribute("aria-expanded", String(!lines.hidden));
  });
  filter();

  // On paper everything is open.
  addEventListener("beforeprint", () => {
    $("lines").hidden = false;
    for (const details of document.querySelectorAll("details:not(.group)")) details.open = true;
  });

  const asked = $(decodeURIComponent(location.hash.slice(1)));
  if (asked?.matches("a.step")) {
    const { lines } = select(asked.id);
    showStep(asked);
    if (lines.length) showLine(lines[0]);
  } else if (asked?.matches("#lines tr") && asked.dataset.step) {
    const { step } = select(asked.dataset.step, asked);
    showLine(asked);
    if (step) showStep(step);
  }
})();
