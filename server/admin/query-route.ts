/** `POST /query`: a statement goes to the engine, its rows come back as JSON or as an Arrow stream (HTTP API 3.1). */
import { AdminError, errorAnswer } from "./admin-error.ts";
import { readFields } from "./json-body.ts";
import type { Route, RouteRequest } from "./routes.ts";

export type QueryFormat = "json" | "arrow";

/** `message` is for the one who asked. */
export type QueryAnswer =
  | { readonly ok: true; readonly contentType: string; readonly body: Uint8Array }
  | { readonly ok: false; readonly status: 400 | 429 | 500 | 503; readonly message: string };

export type RunQuery = (sql: string, format: QueryFormat) => Promise<QueryAnswer>;

export function queryRoute(query: RunQuery): Route {
  return { method: "POST", path: "/query", handle: (request) => answerQuery(query, request) };
}

async function answerQuery(query: RunQuery, { request }: RouteRequest): Promise<Response> {
  let sql: string;
  try {
    sql = await statementOf(request);
  } catch (error) {
    if (!(error instanceof AdminError)) throw error;
    return new Response(error.message, {
      status: error.status,
      headers: { "content-type": "text/plain; charset=utf-8" },
    });
  }
  const format = namesJson(request.headers.get("accept") ?? "") ? "json" : "arrow";
  const answer = await query(sql, format);
  if (answer.ok) {
    const { contentType, body } = answer;
    return new Response(new Uint8Array(body), { headers: { "content-type": contentType } });
  }
  const headers = answer.status === 429 ? { "retry-after": "1" } : {};
  return errorAnswer(new AdminError(answer.status, answer.message, null, headers));
}

/** JSON for who names it; wildcards do not count, since the `restate` CLI sends one and expects Arrow. */
function namesJson(accept: string): boolean {
  return accept.split(",").some((range) => /^\s*application\/json\s*(?:;|$)/.test(range));
}

async function statementOf(request: Request): Promise<string> {
  const { query } = await readFields(request);
  if (typeof query !== "string") throw new AdminError(422, "query must be a string of SQL");
  return query;
}
