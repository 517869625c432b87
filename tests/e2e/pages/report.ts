// A page of the browser checks: starts its worker and shows what it reports, as JSON, where the check reads it.

/** Shows the worker's one message, or why there is none. */
export function showReport(worker: Worker): void {
  worker.addEventListener("message", ({ data }) => show(data));
  worker.addEventListener("error", (event) => show({ error: event.message || "the worker did not start" }));
}

function show(report: unknown): void {
  const element = document.querySelector("pre");
  if (element) element.textContent = JSON.stringify(report, undefined, 1);
}
