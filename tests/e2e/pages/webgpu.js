// Shows what the worker found out; the test reads it from the page's text.
const worker = new Worker("webgpu-worker.js", { type: "module" });
worker.onmessage = ({ data }) => show(data);
worker.onerror = (event) => show({ error: event.message || "the worker did not start" });

function show(report) {
  document.querySelector("pre").textContent = JSON.stringify(report, undefined, 1);
}
