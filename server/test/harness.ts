/** The built server and endpoints as real processes in a directory of their own, and the HTTP calls that tests make. */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { TestProcess } from "./process.ts";

export function temporaryDirectory(): { readonly path: string; remove(): void } {
  const directory = mkdtempSync(path.join(tmpdir(), "holdfast-test-"));
  return { path: directory, remove: () => rmSync(directory, { recursive: true, force: true }) };
}

/** A port that was free a moment ago: for processes that must come back under the same address. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

export interface RunningServer {
  readonly process: TestProcess;
  readonly ingress: string;
  readonly admin: string;
  readonly data: string;
}

/** Starts the built server on ports that it keeps over restarts. */
export async function startServer(
  data: string,
  flags: readonly string[] = [],
): Promise<RunningServer> {
  const [ingressPort, adminPort] = [await freePort(), await freePort()];
  const ingress = `127.0.0.1:${ingressPort}`;
  const admin = `127.0.0.1:${adminPort}`;
  const process = new TestProcess({
    args: [
      "dist/holdfast.mjs",
      "serve",
      "--ingress",
      ingress,
      "--admin",
      admin,
      "--data",
      data,
      ...flags,
    ],
  });
  await process.start();
  return { process, ingress: `http://${ingress}`, admin: `http://${admin}`, data };
}

/** Its message, where it does not start; one that does is ended, and that is an error. */
export async function refusedStart(data: string, flags: readonly string[] = []): Promise<string> {
  const outcome = await startServer(data, flags).catch((error: unknown) => String(error));
  if (typeof outcome === "string") return outcome;
  await outcome.process.kill();
  throw new Error("it has started");
}

export async function register(admin: string, uri: string, more: object = {}): Promise<void> {
  const response = await fetch(`${admin}/deployments`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ uri, ...more }),
  });
  if (!response.ok) throw new Error(`registration: ${response.status} ${await response.text()}`);
}

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
}

export async function post(
  url: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  return { status: response.status, text: await response.text(), headers: response.headers };
}

export async function get(url: string): Promise<Answer> {
  const response = await fetch(url);
  return { status: response.status, text: await response.text(), headers: response.headers };
}

/** An unlucky invocation fails with every crash of a test, and backs off for up to a minute. */
const PATIENCE_MS = 200_000;

/** Calls `attempt` again while the other side is away: a refused or cut connection, or a gateway status. */
export async function persist<T>(
  attempt: () => Promise<T | undefined>,
  timeoutMs = PATIENCE_MS,
): Promise<T> {
  const untilMs = Date.now() + timeoutMs;
  for (;;) {
    try {
      const value = await attempt();
      if (value !== undefined) return value;
    } catch (error) {
      if (Date.now() > untilMs) throw error;
    }
    if (Date.now() > untilMs) throw new Error("gave up waiting");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
