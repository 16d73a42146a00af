/** Routes that do something to invocations: one at a time, and many at once. */
import { invocationIdToString, parseInvocationId } from "../../sdk/protocol/ids.ts";
import { AdminError, emptyAnswer, jsonAnswer } from "./admin-error.ts";
import {
  type Operated,
  operate,
  type Operation,
  OPERATIONS,
  type OperatorOptions,
  parseDeployment,
} from "./invocation-operations.ts";
import { idOf } from "./invocations.ts";
import { invalid, readFields, requireKnown, stringField } from "./json-body.ts";
import { type Route, type RouteRequest, wholeNumber } from "./routes.ts";

/** So many invocations are taken in one request. */
const BATCH_MAX = 1000;

const INDEX_MAX = 0xffff_ffff;

export function operationRoutes(options: OperatorOptions): Route[] {
  return [
    ...OPERATIONS.map((operation): Route => ({
      method: "PATCH",
      path: `/invocations/:id/${operation}`,
      handle: (request) => operateOne(options, operation, request),
    })),
    {
      method: "DELETE",
      path: "/invocations/:id",
      handle: (request) => terminate(options, request),
    },
    ...OPERATIONS.map((operation): Route => ({
      method: "POST",
      path: `/internal/invocations_batch_operations/${operation}`,
      handle: (request) => operateMany(options, operation, request),
    })),
  ];
}

async function operateOne(
  options: OperatorOptions,
  operation: Operation,
  { parameters, query }: RouteRequest,
): Promise<Response> {
  const { status, newId } = await operate(options, {
    operation,
    id: idOf(parameters),
    deployment: takesDeployment(operation) ? parseDeployment(query.get("deployment")) : null,
    upToIndex: wholeNumber(query, "from", { min: 0, max: INDEX_MAX, fallback: 0 }),
  });
  return newId === null ? emptyAnswer(status) : jsonAnswer(status, { new_invocation_id: newId });
}

function takesDeployment(operation: Operation): boolean {
  return operation === "resume" || operation === "restart-as-new";
}

const MODES = ["cancel", "kill", "purge"] as const;

/** The deprecated way: answers 202 whatever comes of it. */
async function terminate(
  options: OperatorOptions,
  { parameters, query }: RouteRequest,
): Promise<Response> {
  const id = idOf(parameters);
  const text = (query.get("mode") ?? "cancel").toLowerCase();
  const operation = MODES.find((mode) => mode === text);
  if (operation === undefined) throw new AdminError(400, "mode must be cancel, kill or purge");
  await attempted(operate(options, { operation, id, deployment: null, upToIndex: 0 }));
  return emptyAnswer(202);
}

/** What cannot be done is an answer too. */
async function attempted(work: Promise<Operated>): Promise<Operated | AdminError> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof AdminError) return error;
    throw error;
  }
}

const BATCH_FIELDS: ReadonlySet<string> = new Set(["invocation_ids", "deployment"]);

async function operateMany(
  options: OperatorOptions,
  operation: Operation,
  { request }: RouteRequest,
): Promise<Response> {
  const fields = await readFields(request);
  requireKnown(fields, BATCH_FIELDS);
  const { invocation_ids: ids } = fields;
  if (!Array.isArray(ids)) throw invalid("invocation_ids must be a list of ids");
  if (ids.length > BATCH_MAX) {
    throw new AdminError(400, `at most ${BATCH_MAX} invocations are taken at once`);
  }
  const given = (fields["deployment"] ?? null) === null ? null : stringField(fields, "deployment");
  const deployment = takesDeployment(operation) ? parseDeployment(given) : null;
  const results = await Promise.all(
    [...new Set(ids.map(String))].map(async (text) => {
      const id = parseInvocationId(text);
      if (id === undefined)
        return { text, result: new AdminError(400, "this is no invocation id") };
      const work = operate(options, { operation, id, deployment, upToIndex: 0 });
      return { text: invocationIdToString(id), result: await attempted(work) };
    }),
  );
  const succeeded: unknown[] = [];
  const failed: unknown[] = [];
  for (const { text, result } of results) {
    if (result instanceof AdminError) failed.push({ invocation_id: text, error: result.message });
    else if (result.newId === null) succeeded.push(text);
    else succeeded.push({ old_invocation_id: text, new_invocation_id: result.newId });
  }
  return jsonAnswer(200, { succeeded, failed });
}
