// Headless Chromium and Firefox with WebGPU on, all their traffic through a proxy that lets nothing out.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { launch, type Browser } from "puppeteer-core";
import { chromiumPath, firefoxPath, gpuEnvironment, hasHardwareGpu } from "../../tools/environment.mjs";

export type Engine = "chromium" | "firefox";
export const engines: readonly Engine[] = ["chromium", "firefox"];

/** What the browsers ask for on their own (updates, settings), however quiet their switches make them. */
const ownErrands: Record<Engine, RegExp> = {
  chromium: /(^|\.)(google|googleapis|gvt1|gstatic)\.com$/,
  firefox: /(^|\.)(mozilla\.(com|net|org)|firefox\.com)$/,
};

export interface LaunchedBrowser {
  readonly engine: Engine;
  readonly browser: Browser;
  /** Hosts beyond this machine that pages have asked for since the start; the browser's own errands are not among them. */
  readonly strayHosts: ReadonlySet<string>;
  close(): Promise<void>;
}

/** Starts a browser with a fresh profile. Throws where it is not installed. */
export async function launchBrowser(engine: Engine): Promise<LaunchedBrowser> {
  const executablePath = engine === "chromium" ? chromiumPath() : firefoxPath();
  if (!executablePath) throw new Error(`${engine} is not installed: run node tools/setup.mjs --browsers`);
  const proxy = await startRefusingProxy(ownErrands[engine]);
  const env = { ...process.env, ...gpuEnvironment() };
  const browser =
    engine === "chromium"
      ? await launch({ executablePath, env, args: chromiumArguments(proxy.port), protocolTimeout: 600_000 })
      : await launch({ browser: "firefox", executablePath, env, extraPrefsFirefox: firefoxPreferences(proxy.port), protocolTimeout: 600_000 });
  return {
    engine,
    browser,
    strayHosts: proxy.hosts,
    async close() {
      await browser.close();
      await proxy.close();
    },
  };
}

function chromiumArguments(proxyPort: number): string[] {
  return [
    ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []), // Chromium's sandbox refuses root
    "--enable-unsafe-webgpu",
    ...(hasHardwareGpu() ? [] : ["--use-webgpu-adapter=swiftshader", "--disable-gpu-watchdog"]),
    `--proxy-server=http://127.0.0.1:${proxyPort}`, // loopback goes past it
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-sync",
    "--no-first-run",
    "--no-pings",
    "--lang=en",
  ];
}

function firefoxPreferences(proxyPort: number): Record<string, unknown> {
  return {
    "dom.webgpu.enabled": true,
    "dom.webgpu.workers.enabled": true,
    "dom.webgpu.service-workers.enabled": true,
    "gfx.webgpu.ignore-blocklist": true,
    "network.proxy.type": 1,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": proxyPort,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": proxyPort,
    "network.captive-portal-service.enabled": false,
    "network.connectivity-service.enabled": false,
    "datareporting.policy.dataSubmissionEnabled": false,
    "intl.accept_languages": "en",
  };
}

/** A proxy that answers 502 to everything, and remembers the hosts that do not match `ignored`. */
async function startRefusingProxy(ignored: RegExp) {
  const hosts = new Set<string>();
  const remember = (authority = "unknown") => {
    const host = authority.replace(/:\d+$/, "");
    if (!ignored.test(host)) hosts.add(host);
  };
  const server = createServer((request, response) => {
    remember(request.headers.host);
    response.writeHead(502).end();
  });
  server.on("connect", (request, socket) => {
    remember(request.url);
    socket.on("error", () => socket.destroy());
    socket.end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    hosts,
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
