/** A table of routes becomes a Hono application: what is not in it is 404, a wrong method 405. */
import { Hono } from "hono";
import { AdminError } from "./admin-error.ts";

export interface RouteRequest {
  readonly request: Request;
  /** The parts of the path that the route names with a colon. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
}

export interface Route {
  readonly method: "GET" | "POST" | "PATCH";
  readonly path: string;
  readonly handle: (request: RouteRequest) => Response | Promise<Response>;
}

export function routesApp(routes: readonly Route[]): Hono {
  const app = new Hono();
  for (const { method, path, handle } of routes) {
    app.on(method, path, (context) => {
      const request = context.req.raw;
      const query = new URL(request.url).searchParams;
      return handle({ request, parameters: context.req.param(), query });
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
