/** One server for a file of tests, the endpoints behind it, and what callers and operators ask of it. */
import assert from "node:assert/strict";
import { type RunningServer, startServer, temporaryDirectory } from "../harness.ts";
import { closeEndpoints, type Endpoint } from "../endpoint.ts";
import type { Op } from "./program.suite.ts";

/** `ingress,admin` of another server to run these tests against: shows where we differ. */
const PEER = process.env["HOLDFAST_COMPAT_PEER"]?.split(",") ?? null;

/** For tests of what only we have, or do differently on purpose. */
export const OURS = { skip: PEER !== null };

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
  /** The JSON document; undefined when it is none. */
  readonly json: unknown;
}

interface Asking {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON; strings and bytes as they are. */
  readonly body?: unknown;
}

/** Far longer than anything here takes, also on a busy machine. */
const PATIENCE_MS = 20_000;

export class Lab {
  readonly ingress: string;
  readonly admin: string;
  readonly #server: RunningServer | null;
  readonly #remove: () => void;

  private constructor(server: RunningServer | null, remove: () => void) {
    this.#server = server;
    this.#remove = remove;
    this.ingress = server?.ingress ?? PEER?.[0] ?? "";
    this.admin = server?.admin ?? PEER?.[1] ?? "";
  }

  static async start(flags: readonly string[] = []): Promise<Lab> {
    const directory = temporaryDirectory();
    const all = ["--cleanup-interval", "100ms", "--log-level", "warn", ...flags];
    const server = PEER === null ? await startServer(`${directory.path}/data`, all) : null;
    return new Lab(server, () => directory.remove());
  }

  async close(): Promise<void> {
    const code = await this.#server?.process.stop();
    await closeEndpoints();
    this.#remove();
    assert(code === undefined || code === 0, `ended with ${code}\n${this.errors}`);
  }

  /** The server is gone without a warning, and comes back on the same data and ports. */
  async crash(): Promise<void> {
    assert(this.#server !== null, "only our own server can be killed");
    await this.#server.process.kill();
    await this.#server.process.start();
  }

  /** What the server wrote last on stderr. */
  get errors(): string {
    return this.#server?.process.errors ?? "";
  }

  /** Registers an endpoint and returns the deployment id. */
  async register(endpoint: Endpoint, more: object = {}): Promise<string> {
    const body = { uri: endpoint.url, use_http_11: endpoint.isHttp1, ...more };
    const answer = await this.tell("POST", "/deployments", body);
    assert(answer.status < 300, `registration: ${answer.status} ${answer.text}\n${this.errors}`);
    return String(at(answer.json, "id"));
  }

  /** A request on the ingress. */
  async ask(path: string, { method = "POST", headers = {}, body }: Asking = {}): Promise<Answer> {
    return await request(this.ingress + path, method, headers, body);
  }

  /** A request on the admin API. */
  async tell(method: string, path: string, body?: unknown): Promise<Answer> {
    return await request(this.admin + path, method, {}, body);
  }

  /** Calls a handler of `program.suite.ts` and returns the results of its operations. */
  async run(path: string, ...ops: readonly Op[]): Promise<unknown> {
    const answer = await this.ask(path, { body: ops });
    assert.equal(answer.status, 200, `${path}: ${answer.status} ${answer.text}\n${this.errors}`);
    return answer.json;
  }

  /** Sends and returns the invocation id. `path` may end with a query. */
  async send(path: string, ...ops: readonly Op[]): Promise<string> {
    const [plain, query] = path.split("?");
    const url = `${plain}/send${query === undefined ? "" : `?${query}`}`;
    const answer = await this.ask(url, { body: ops });
    assert.equal(answer.status, 202, `${url}: ${answer.status} ${answer.text}`);
    return String(at(answer.json, "invocationId"));
  }

  async attach(id: string): Promise<Answer> {
    return await this.ask(`/restate/invocation/${id}/attach`, { method: "GET" });
  }

  async output(id: string): Promise<Answer> {
    return await this.ask(`/restate/invocation/${id}/output`, { method: "GET" });
  }

  /** An operator's `PATCH /invocations/{id}/{verb}`; returns the status. */
  async patch(id: string, verb: string): Promise<number> {
    return (await this.tell("PATCH", `/invocations/${id}/${verb}`)).status;
  }

  /** The rows of a query over the views. */
  async sql(query: string): Promise<readonly unknown[]> {
    const url = `${this.admin}/query`;
    const ask = () => request(url, "POST", { accept: "application/json" }, { query });
    let answer = await ask();
    // Only so many queries may wait at once; everybody here asks at the same time.
    while (answer.status === 429) {
      await pause(20);
      answer = await ask();
    }
    assert.equal(answer.status, 200, `${query}: ${answer.text}`);
    return at(answer.json, "rows") as unknown[];
  }

  /** What `GET /invocations/{id}` says. */
  async invocation(id: string): Promise<unknown> {
    const answer = await this.tell("GET", `/invocations/${id}`);
    assert.equal(answer.status, 200, answer.text);
    return answer.json;
  }

  /** What `GET /invocations/{id}/why` says. */
  async why(id: string): Promise<unknown> {
    const answer = await this.tell("GET", `/invocations/${id}/why`);
    assert.equal(answer.status, 200, answer.text);
    return answer.json;
  }

  /** The status of an invocation in our words; `gone` when nothing is known of it. */
  async status(id: string): Promise<string> {
    if (PEER !== null) return await this.#peerStatus(id);
    const answer = await this.tell("GET", `/invocations/${id}`);
    return answer.status === 404 ? "gone" : String(at(answer.json, "status"));
  }

  async #peerStatus(id: string): Promise<string> {
    const rows = await this.sql(`SELECT status FROM sys_invocation WHERE id = '${id}'`);
    const status = rows.length === 0 ? "gone" : String(at(rows[0], "status"));
    return { pending: "queued", ready: "running" }[status] ?? status;
  }

  /** Waits until the invocation is in one of these statuses. */
  async until(id: string, ...statuses: readonly string[]): Promise<void> {
    await eventually(async () => {
      const status = await this.status(id);
      assert(statuses.includes(status), `${id} is ${status}, not ${statuses.join(" or ")}`);
    });
  }

  /** Waits until it has begun; one that has nothing to do may be on a stream, or suspended. */
  async untilBegun(id: string): Promise<void> {
    await this.until(id, "running", "suspended");
  }
}

async function request(
  url: string,
  method: string,
  headers: Readonly<Record<string, string>>,
  body: unknown,
): Promise<Answer> {
  const isRaw = typeof body === "string" || body instanceof Uint8Array;
  const type: Record<string, string> =
    body === undefined || isRaw ? {} : { "content-type": "application/json" };
  const response = await fetch(url, {
    method,
    headers: { ...type, ...headers },
    signal: AbortSignal.timeout(PATIENCE_MS),
    ...(body === undefined ? {} : { body: isRaw ? (body as string) : JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, text, headers: response.headers, json: parse(text) };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A field of a JSON document, by path; undefined where there is none. */
export function at(document: unknown, ...path: readonly (string | number)[]): unknown {
  let value = document;
  for (const step of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = Object.getOwnPropertyDescriptor(value, step)?.value as unknown;
  }
  return value;
}

/** Repeats `check` until it throws no more. */
export async function eventually<T>(check: () => T | Promise<T>, forMs = PATIENCE_MS): Promise<T> {
  const untilMs = Date.now() + forMs;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > untilMs) throw error;
    }
    await pause(20);
  }
}

export async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}
