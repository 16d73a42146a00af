/**
 * The error document of both listeners (HTTP API, error body): what went wrong as a status, a stable code for programs
 * (`reason`), and words for people that say what to do.
 */
import { sendJson } from "./answer.ts";
import type { HttpResponse } from "./exchange.ts";

export interface Problem {
  readonly status: number;
  /** Stable, in kebab-case; the tables of the HTTP API list them. */
  readonly reason: string;
  readonly message: string;
}

/** Whose answer it is. `invocation`: the handler's own, so repeating the request is no remedy. */
export type ProblemSource = "ingress" | "admin" | "invocation";

export type ProblemHeaders = Readonly<Record<string, string>>;

export function problemDocument(problem: Problem, source: ProblemSource): string {
  const { status: code, message, reason } = problem;
  return JSON.stringify({ code, message, source, reason });
}

export function problemHeaders(source: ProblemSource): Record<string, string> {
  return source === "admin" ? {} : { "x-restate-error-source": source };
}

export function sendProblem(
  response: HttpResponse,
  problem: Problem,
  source: ProblemSource,
  headers: ProblemHeaders = {},
): boolean {
  const document = problemDocument(problem, source);
  return sendJson(response, problem.status, document, { ...problemHeaders(source), ...headers });
}
