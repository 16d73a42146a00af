/** A table of routes becomes a Hono application: what is not in it is 404, a wrong method 405. */
import { Hono } from "hono";
import { AdminError } from "./admin-error.ts";

/** The versions of this API that are answered, under `/v2` to `/v4`; a path without a version is the newest. */
export const API_VERSIONS = [2, 3, 4] as const;
export type ApiVersion = (typeof API_VERSIONS)[number];

export interface RouteRequest {
  readonly request: Request;
  /** The parts of the path that the route names with a colon. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly apiVersion: ApiVersion;
}

export interface Route {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  /** Only in these versions. */
  readonly versions?: readonly ApiVersion[];
  readonly handle: (request: RouteRequest) => Response | Promise<Response>;
}

export function routesApp(all: readonly Route[], apiVersion: ApiVersion): Hono {
  const routes = all.filter(({ versions }) => versions?.includes(apiVersion) ?? true);
  const app = new Hono();
  for (const { method, path, handle } of routes) {
    app.on(method, path, (context) => {
      const request = context.req.raw;
      const query = new URL(request.url).searchParams;
      return handle({ request, parameters: context.req.param(), query, apiVersion });
    });
  }
  for (const path of new Set(routes.map((route) => route.path))) {
    const methods = routes.filter((route) => route.path === path).map(({ method }) => method);
    const allow = methods.flatMap((method) => (method === "GET" ? [method, "HEAD"] : [method]));
    app.all(path, () => {
      const message = `use ${methods.join(" or ")} here`;
      throw new AdminError(405, message, null, { allow: allow.join(", ") });
    });
  }
  return app;
}

/** A switch in the query of a request: absent and `false` are off, empty and `true` are on. */
export function flag(query: URLSearchParams, name: string): boolean {
  const text = query.get(name) ?? "false";
  if (text === "false") return false;
  if (text === "true" || text === "") return true;
  throw new AdminError(400, `${name} must be true or false`);
}

/** A whole number in the query of a request. */
export function wholeNumber(
  query: URLSearchParams,
  name: string,
  { min, max, fallback }: { readonly min: number; readonly max: number; readonly fallback: number },
): number {
  const text = query.get(name);
  if (text === null) return fallback;
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw new AdminError(400, `${name} must be a whole number from ${min} to ${max}`);
}
