/**
 * The path grammar of the ingress (HTTP API 1.1), pure. A path is read into a route by its shape alone; what depends on the
 * registered type of a service is left to `target.ts`.
 *
 * Service and handler names are compared as they are written. Keys, idempotency keys and ids are percent-decoded.
 */
import type { Problem } from "../http/problem.ts";

/** Waits for a result, or answers at once. */
export type ResultMode = "attach" | "output";

export type Route =
  | { readonly kind: "health" }
  /** `/{service}/…`; what follows depends on the service. */
  | { readonly kind: "classic"; readonly service: string; readonly rest: readonly string[] }
  | {
      readonly kind: "explicit";
      readonly send: boolean;
      readonly service: string;
      readonly rest: readonly string[];
    }
  | { readonly kind: "result"; readonly mode: ResultMode; readonly id: string }
  | ({ readonly kind: "idempotent-result"; readonly mode: ResultMode } & IdempotentPath)
  | ({ readonly kind: "workflow-result"; readonly mode: ResultMode } & WorkflowPath)
  /** The target stands in the body. */
  | { readonly kind: "target"; readonly mode: ResultMode | "lookup" }
  | { readonly kind: "awakeable"; readonly resolve: boolean; readonly id: string }
  | {
      readonly kind: "signal";
      readonly resolve: boolean;
      readonly id: string;
      readonly name: string;
    }
  | { readonly kind: "message"; readonly of: MessagePath; readonly topic: string }
  | { readonly kind: "event"; readonly of: MessagePath; readonly key: string }
  | { readonly kind: "events"; readonly of: MessagePath }
  | { readonly kind: "problem"; readonly problem: Problem };

/** Whose messages and events. */
export type MessagePath =
  | { readonly kind: "invocation"; readonly id: string }
  | ({ readonly kind: "workflow" } & WorkflowPath);

export interface IdempotentPath {
  readonly service: string;
  /** Null for a plain service. */
  readonly key: string | null;
  readonly handler: string;
  readonly idempotencyKey: string;
}

export interface WorkflowPath {
  readonly service: string;
  readonly key: string;
}

export interface RequestTarget {
  readonly path: string;
  /** Without the question mark; empty without a query. */
  readonly query: string;
}

/** Reads the target of a request line; undefined when it is neither a path nor an absolute URL. */
export function splitTarget(url: string): RequestTarget | undefined {
  if (/[^\x21-\x7e]/.test(url)) return undefined;
  let start = 0;
  if (!url.startsWith("/")) {
    // The absolute form, which proxies send (RFC 9112, 3.2.2).
    const authority = /^https?:\/\/[^/?#]+/i.exec(url);
    if (authority === null) return undefined;
    start = authority[0].length;
  }
  const question = url.indexOf("?", start);
  if (question < 0) return { path: url.slice(start), query: "" };
  return { path: url.slice(start, question), query: url.slice(question + 1) };
}

const SEGMENTS_MAX = 7;

export function parsePath(path: string): Route {
  const segments = segmentsOf(path);
  const [first = "", second, ...rest] = segments;
  if (first === "openapi") return NOT_FOUND;
  if (second === undefined || segments.length > SEGMENTS_MAX) return badPath(BAD_LENGTH);
  if (first !== "restate") return { kind: "classic", service: first, rest: segments.slice(1) };
  return reserved(second, rest);
}

/** Everything below `/restate/`. */
function reserved(name: string, rest: readonly string[]): Route {
  switch (name) {
    case "health":
      return rest.length === 0 ? { kind: "health" } : NOT_FOUND;
    case "call":
    case "send":
      return explicit(name === "send", rest);
    case "scope":
      return SCOPES_UNSUPPORTED;
    case "invocation":
      return invocation(rest);
    case "workflow":
      return workflow(rest);
    case "attach":
    case "output":
    case "lookup":
      return result(name, rest);
    case "a":
    case "awakeables":
      return awakeable(rest);
    case "signals":
      return signal(rest);
    default:
      return NOT_FOUND;
  }
}

/** Trailing slashes do not count, and one slash too many in front is forgiven. */
function segmentsOf(path: string): string[] {
  let end = path.length;
  while (end > 0 && path.charAt(end - 1) === "/") end -= 1;
  const start = path.startsWith("//") ? 2 : 1;
  return start >= end ? [] : path.slice(start, end).split("/");
}

function explicit(send: boolean, rest: readonly string[]): Route {
  const [service, ...tail] = rest;
  if (service === undefined || tail.length === 0 || tail.length > 2) return badPath(BAD_LENGTH);
  return { kind: "explicit", send, service, rest: tail };
}

/** `{id}/{mode}`, `{service}/{handler}/{idempotency key}/{mode}` or the same with a key. */
function invocation(rest: readonly string[]): Route {
  const [first, ...tail] = rest;
  if (isMessagePath(tail)) {
    const id = decode(first);
    return id === undefined
      ? badPath(BAD_ENCODING)
      : messageOrEvent({ kind: "invocation", id }, tail);
  }
  const mode = resultMode(rest.at(-1));
  if (mode === undefined) return NOT_FOUND;
  const parts = rest.slice(0, -1);
  if (parts.length === 1) return resultOf(mode, parts[0]);
  if (parts.length !== 3 && parts.length !== 4) return badPath(BAD_LENGTH);
  const [service = "", ...names] = parts;
  const idempotencyKey = decode(names.pop());
  const handler = names.pop() ?? "";
  const key = names.length === 0 ? null : decode(names[0]);
  if (idempotencyKey === undefined || key === undefined) return badPath(BAD_ENCODING);
  return { kind: "idempotent-result", mode, service, key, handler, idempotencyKey };
}

function workflow(rest: readonly string[]): Route {
  const [service, segment, ...tail] = rest;
  if (service !== undefined && isMessagePath(tail)) {
    const key = decode(segment);
    if (key === undefined) return badPath(BAD_ENCODING);
    return messageOrEvent({ kind: "workflow", service, key }, tail);
  }
  const [last, ...more] = tail;
  const mode = resultMode(last);
  if (service === undefined || mode === undefined || more.length > 0) return NOT_FOUND;
  const key = decode(segment);
  if (key === undefined) return badPath(BAD_ENCODING);
  return { kind: "workflow-result", mode, service, key };
}

/** `messages/{topic}`, `events/{key}` or `events`; of no other path do the segments look like this. */
function isMessagePath(tail: readonly string[]): boolean {
  return (tail[0] === "messages" && tail.length === 2) || (tail[0] === "events" && tail.length < 3);
}

function messageOrEvent(of: MessagePath, [first, second]: readonly string[]): Route {
  if (second === undefined) return { kind: "events", of };
  const name = decode(second);
  if (name === undefined) return badPath(BAD_ENCODING);
  return first === "messages"
    ? { kind: "message", of, topic: name }
    : { kind: "event", of, key: name };
}

function result(mode: ResultMode | "lookup", rest: readonly string[]): Route {
  if (rest.length === 0) return { kind: "target", mode };
  if (mode === "lookup" || rest.length > 1) return NOT_FOUND;
  return resultOf(mode, rest[0]);
}

function resultOf(mode: ResultMode, segment: string | undefined): Route {
  const id = decode(segment);
  return id === undefined ? badPath(BAD_ENCODING) : { kind: "result", mode, id };
}

function awakeable(rest: readonly string[]): Route {
  const [segment, verb, ...more] = rest;
  if (!isVerb(verb) || more.length > 0) return NOT_FOUND;
  const id = decode(segment);
  if (id === undefined) return badPath(BAD_ENCODING);
  return { kind: "awakeable", resolve: verb === "resolve", id };
}

function signal(rest: readonly string[]): Route {
  const [first, second, verb, ...more] = rest;
  if (!isVerb(verb) || more.length > 0) return NOT_FOUND;
  const id = decode(first);
  const name = decode(second);
  if (id === undefined || name === undefined) return badPath(BAD_ENCODING);
  return { kind: "signal", resolve: verb === "resolve", id, name };
}

function isVerb(segment: string | undefined): segment is "resolve" | "reject" {
  return segment === "resolve" || segment === "reject";
}

function resultMode(segment: string | undefined): ResultMode | undefined {
  return segment === "attach" || segment === "output" ? segment : undefined;
}

/** Undefined when what the percent signs stand for is no UTF-8. */
export function decode(segment: string | undefined): string | undefined {
  if (segment === undefined || !segment.includes("%")) return segment;
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}

const BAD_LENGTH =
  "expected /{service}/{handler}, with the key in between for objects and workflows, or one of the paths below /restate/";
export const BAD_ENCODING = "the path is not percent-encoded UTF-8";

export const BAD_TARGET = "the request target is neither a path nor an absolute http URL in ASCII";

export function badPath(message: string): { readonly kind: "problem"; readonly problem: Problem } {
  return { kind: "problem", problem: { status: 400, reason: "bad-path", message } };
}

const NOT_FOUND: Route = {
  kind: "problem",
  problem: { status: 404, reason: "not-found", message: "not found" },
};

const SCOPES_UNSUPPORTED: Route = {
  kind: "problem",
  problem: {
    status: 400,
    reason: "scopes-unsupported",
    message: "this server has no scopes; use the path without /restate/scope/{scope}",
  },
};
