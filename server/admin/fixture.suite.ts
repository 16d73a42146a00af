/** The admin API on a port of its own, over a world made by hand. */
import { after } from "node:test";
import { Listener } from "../http/listener.ts";
import { DEFAULT_SETTINGS } from "../machine/settings.ts";
import { type AdminOptions, createAdmin } from "./admin.ts";
import type { Discovered, DiscoveryRequest } from "./discovery.ts";
import { FakeWorld, NOW_MS, service, testDeployment } from "./fake-world.suite.ts";
import type { QueryAnswer } from "./query-route.ts";

export const URI = "http://127.0.0.1:9080/";

const open: Listener[] = [];
after(() => Promise.all(open.map((listener) => listener.drain(0))));

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The JSON document; null without one. */
  readonly json: unknown;
}

export interface Fixture {
  readonly world: FakeWorld;
  readonly url: string;
  readonly port: number;
  readonly asked: DiscoveryRequest[];
  readonly errors: unknown[];
  readonly queries: (readonly [sql: string, format: string])[];
  /** What the endpoint offers. */
  offers: Discovered;
  /** What its discovery fails with. */
  failure: Error | null;
  /** What the engine answers. */
  rows: QueryAnswer;
  readonly request: (method: string, path: string, body?: unknown) => Promise<Answer>;
}

export function discovered(...names: readonly string[]): Discovered {
  return offering(...names.map((name) => service(name, [{ name: "run" }])));
}

export function offering(...services: readonly ReturnType<typeof service>[]): Discovered {
  const {
    id: _id,
    createdAtMs: _createdAtMs,
    drainingSinceMs: _drainingSinceMs,
    ...rest
  } = testDeployment(services);
  return rest;
}

/** The engine's answer to a count of open invocations by deployment. */
export function pinned(...counts: readonly (readonly [id: unknown, count: number])[]): QueryAnswer {
  const rows = counts.map(([deployment, invocations]) => ({ deployment, invocations }));
  const body = new Uint8Array(Buffer.from(JSON.stringify({ rows })));
  return { ok: true, contentType: "application/json", body };
}

export async function start(options: Partial<AdminOptions> = {}): Promise<Fixture> {
  const world = new FakeWorld();
  const fixture: Fixture = {
    world,
    url: "",
    port: 0,
    asked: [],
    errors: [],
    queries: [],
    offers: discovered("Greeter"),
    failure: null,
    rows: pinned(),
    request: (method, path, body) => send(fixture.url + path, method, body),
  };
  const handle = createAdmin({ ...optionsOf(world, fixture), ...options });
  const listener = await Listener.listen({
    host: "127.0.0.1",
    port: 0,
    source: "admin",
    handle: (request, response) => void handle(request, response),
    onError: (error) => fixture.errors.push(error),
  });
  open.push(listener);
  return Object.assign(fixture, { url: listener.url, port: listener.port });
}

export function optionsOf(world: FakeWorld, fixture: Omit<Fixture, "world">): AdminOptions {
  return {
    door: world,
    live: world,
    clock: { nowMs: () => NOW_MS },
    discover: async (request) => {
      fixture.asked.push(request);
      await new Promise((resolve) => setTimeout(resolve, 5));
      if (fixture.failure !== null) throw fixture.failure;
      const { uri, additionalHeaders, metadata } = request;
      return { ...fixture.offers, uri, additionalHeaders, metadata };
    },
    targetProblem: (url) =>
      url.hostname === "169.254.169.254" ? "this is a metadata service" : null,
    query: async (sql, format) => {
      fixture.queries.push([sql, format]);
      return fixture.rows;
    },
    metrics: async () => ({ contentType: "text/plain; version=0.0.4", body: "up 1\n" }),
    health: () => ({ status: "ok", note: 1 }),
    defaults: { inactivityTimeoutMs: 60_000, abortTimeoutMs: 600_000 },
    settings: DEFAULT_SETTINGS,
    routingHeaders: [],
    version: "1.2.3",
    ingressUrl: "http://127.0.0.1:8080",
    token: null,
    onError: (error) => fixture.errors.push(error),
  };
}

export async function send(
  url: string,
  method: string,
  body?: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const json = { "content-type": "application/json" };
  const response = await fetch(
    url,
    body === undefined
      ? { method, headers }
      : {
          method,
          headers: { ...json, ...headers },
          body: typeof body === "string" ? body : JSON.stringify(body),
        },
  );
  const text = await response.text();
  const isJson = response.headers.get("content-type") === "application/json" && text !== "";
  return {
    status: response.status,
    headers: response.headers,
    text,
    json: isJson ? JSON.parse(text) : null,
  };
}

export const register = (fixture: Fixture, more: object = {}): Promise<Answer> =>
  fixture.request("POST", "/deployments", { uri: URI, ...more });
