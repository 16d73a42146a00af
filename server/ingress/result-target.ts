/** The JSON body that names an invocation: `POST /restate/attach`, `output` and `lookup` (HTTP API 1.9); pure. */
import type { Problem } from "../http/problem.ts";
import type { IdempotentPath, WorkflowPath } from "./path.ts";

export type ResultTarget =
  | { readonly kind: "invocation"; readonly invocationId: string }
  | ({ readonly kind: "idempotent" } & IdempotentPath)
  | ({ readonly kind: "workflow" } & WorkflowPath);

type Fields = Readonly<Record<string, unknown>>;

export function parseTarget(
  body: Uint8Array,
): ResultTarget | { readonly kind: "problem"; readonly problem: Problem } {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    return problem("invalid-json", "the body is not JSON");
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) return invalid(EXPECTED);
  const fields: Fields = { ...json };
  if (fields["scope"] !== undefined && fields["scope"] !== null) {
    return problem("scopes-unsupported", "this server has no scopes: leave the scope out");
  }
  switch (fields["target"]) {
    case "invocation":
      return invocation(fields);
    case "idempotentInvocation":
      return idempotent(fields);
    case "workflow":
      return workflow(fields);
    default:
      return invalid(EXPECTED);
  }
}

type Parsed = ReturnType<typeof parseTarget>;

function invocation({ invocationId }: Fields): Parsed {
  if (typeof invocationId !== "string") return invalid("invocationId must be a string");
  return { kind: "invocation", invocationId };
}

function idempotent({ service, key = null, handler, idempotencyKey }: Fields): Parsed {
  if (typeof service !== "string" || typeof handler !== "string") {
    return invalid("service and handler must be strings");
  }
  if (typeof idempotencyKey !== "string") return invalid("idempotencyKey must be a string");
  if (key !== null && typeof key !== "string") return invalid("key must be a string or left out");
  return { kind: "idempotent", service, key, handler, idempotencyKey };
}

function workflow({ workflowName: service, workflowKey: key }: Fields): Parsed {
  if (typeof service !== "string" || typeof key !== "string") {
    return invalid("workflowName and workflowKey must be strings");
  }
  return { kind: "workflow", service, key };
}

const EXPECTED =
  'expected a JSON object with a "target": "invocation", "idempotentInvocation" or "workflow"';

function invalid(message: string): Parsed {
  return problem("invalid-target", message);
}

function problem(reason: string, message: string): Parsed {
  return { kind: "problem", problem: { status: 400, reason, message } };
}
