/** Any web page may call services (HTTP API 1.8): who may call what is the handlers' own business. */
import type { HttpRequest, HttpResponse } from "../http/exchange.ts";
import type { Exchange } from "./respond.ts";

/** `*` covers the rest where the browser sends no credentials; where it does, `*` is but a name. */
const EXPOSED = "*, x-restate-id, x-restate-error-source, idempotency-expires";

const PREFLIGHT_SECONDS = "600";

/** Sets the headers that let the page read the answer; nothing for clients that are no browsers. */
export function allowOrigin(request: HttpRequest, response: HttpResponse): void {
  const { origin } = request.headers;
  if (origin === undefined) return;
  response.setHeader("access-control-allow-origin", origin);
  response.setHeader("access-control-allow-credentials", "true");
  response.setHeader("access-control-expose-headers", EXPOSED);
  response.setHeader("vary", "origin");
}

/** Answers a preflight: the method and the headers that are asked for are allowed. */
export function answerPreflight({ request, response, seen }: Exchange): void {
  const method = request.headers["access-control-request-method"];
  const fields = request.headers["access-control-request-headers"];
  if (method !== undefined) response.setHeader("access-control-allow-methods", method);
  if (fields !== undefined) response.setHeader("access-control-allow-headers", fields);
  response.setHeader("access-control-max-age", PREFLIGHT_SECONDS);
  response.writeHead(200, { "content-length": "0" });
  response.end();
  seen?.end("completed", 200);
}
