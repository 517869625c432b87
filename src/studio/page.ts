// The page: the studio's element, and the service worker that keeps the page for offline visits.
import "./studio.ts";

if (import.meta.env.PROD && "serviceWorker" in navigator) {
  navigator.serviceWorker.register("service-worker.js").catch((error: unknown) => {
    console.warn("kiln: this page will not open offline", error);
  });
}
