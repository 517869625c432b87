// A web server on this machine for tests, with the habits that servers have: ranges or none, tags, commits, HTML for what
// is not there, connections that break.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";

export interface Habits {
  /** Answers ranges; true by default. */
  ranges?: boolean;
  /** Sends Content-Length; true by default. */
  lengths?: boolean;
  /** Sends ETag and its value for a path. */
  etag?: (path: string) => string | undefined;
  /** Sends X-Repo-Commit. */
  commit?: string;
  /** An HTML page instead of 404. */
  fallback?: boolean;
  /** Breaks the connection after so many bytes of a body. */
  breakAfter?: number;
  /** Answers HEAD with 403, as addresses signed for GET do. */
  headRefused?: boolean;
  /** Never ends a body after its first bytes. */
  stall?: boolean;
  /** This status for every request. */
  status?: number;
}

export interface TestServer {
  readonly url: string;
  readonly files: Map<string, Uint8Array>;
  habits: Habits;
  /** "METHOD path range" of every request since `take` was last called. */
  take(): string[];
  close(): Promise<void>;
}

export async function serve(files: Record<string, string | Uint8Array>, habits: Habits = {}): Promise<TestServer> {
  const contents = new Map(Object.entries(files).map(([path, content]) => [path, typeof content === "string" ? new TextEncoder().encode(content) : content]));
  let requests: string[] = [];
  const server: Server = createServer((request, response) => {
    requests.push([request.method, request.url, request.headers.range].filter((part) => part !== undefined).join(" "));
    answer(request, response, contents, state.habits);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const state: TestServer = {
    url: `http://127.0.0.1:${port}/`,
    files: contents,
    habits,
    take: () => requests.splice(0),
    close: () => new Promise((resolve) => {
      server.closeAllConnections();
      server.close(() => resolve());
    }),
  };
  return state;
}

function answer(request: IncomingMessage, response: ServerResponse, files: ReadonlyMap<string, Uint8Array>, habits: Habits): void {
  const path = decodeURIComponent((request.url ?? "/").slice(1));
  const file = files.get(path);
  if (request.method === "HEAD" && habits.headRefused) {
    response.writeHead(403).end();
    return;
  }
  if (habits.status !== undefined || (file === undefined && !habits.fallback)) {
    response.writeHead(habits.status ?? 404).end();
    return;
  }
  if (file === undefined) {
    response.writeHead(200, { "Content-Type": "text/html" }).end("<!doctype html>");
    return;
  }
  const range = habits.ranges === false ? null : /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
  const start = range === null ? 0 : Number(range[1]);
  const end = range === null || range[2] === "" ? file.byteLength : Math.min(file.byteLength, Number(range[2]) + 1);
  const tag = habits.etag?.(path);
  response.statusCode = range === null ? 200 : 206;
  if (start >= file.byteLength && range !== null) {
    response.writeHead(416, { "Content-Range": `bytes */${file.byteLength}` }).end();
    return;
  }
  if (range !== null) response.setHeader("Content-Range", `bytes ${start}-${end - 1}/${file.byteLength}`);
  if (tag !== undefined) response.setHeader("ETag", tag);
  if (habits.commit !== undefined) response.setHeader("X-Repo-Commit", habits.commit);
  if (habits.lengths !== false) response.setHeader("Content-Length", end - start);
  if (request.method === "HEAD") {
    response.end();
  } else if (habits.breakAfter !== undefined && habits.breakAfter < end - start) {
    response.write(file.subarray(start, start + habits.breakAfter), () => response.destroy());
  } else if (habits.stall) {
    response.write(file.subarray(start, start + 1000));
  } else {
    response.end(file.subarray(start, end));
  }
}
