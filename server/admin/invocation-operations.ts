/** What operators do to invocations, and how each answer of the machine reads in HTTP (HTTP API 2.5). */
import { invocationIdToString } from "../../sdk/protocol/ids.ts";
import { mintInvocationId, type Random } from "../base/ids.ts";
import type { Clock } from "../base/clock.ts";
import type { RefusalReason } from "../machine/effect.ts";
import type { DeploymentChoice, Input } from "../machine/input.ts";
import type { Door } from "../processor/ports.ts";
import { AdminError } from "./admin-error.ts";
import { type AppliedReply, askDoor } from "./ask-door.ts";
import { unknownInvocation } from "./invocations.ts";

export const OPERATIONS = [
  "cancel",
  "kill",
  "pause",
  "resume",
  "purge",
  "purge-journal",
  "restart-as-new",
] as const;
export type Operation = (typeof OPERATIONS)[number];

export interface OperationRequest {
  readonly operation: Operation;
  readonly id: Uint8Array;
  /** Null: as the operation does by itself. */
  readonly deployment: DeploymentChoice | null;
  /** Of a restart: the last entry of the journal to begin with. */
  readonly upToIndex: number;
}

export interface Operated {
  readonly status: 200 | 202;
  /** Of a restart. */
  readonly newId: string | null;
}

export interface OperatorOptions {
  readonly door: Door;
  readonly clock: Clock;
  readonly random: Random;
}

/** Rejects with an `AdminError` when it cannot be done. */
export async function operate(
  { door, clock, random }: OperatorOptions,
  request: OperationRequest,
): Promise<Operated> {
  const newId = mintInvocationId(clock.nowMs(), random, null);
  const reply = await askDoor(door, (replyTo) => inputOf(request, newId, replyTo));
  return outcomeOf(request, reply);
}

function inputOf(
  { operation, id, deployment, upToIndex }: OperationRequest,
  newId: Uint8Array,
  replyTo: number,
): Input {
  switch (operation) {
    case "purge":
    case "purge-journal":
      return { type: "purge", id, journalOnly: operation === "purge-journal", replyTo };
    case "resume":
      return { type: "resume", id, deployment: deployment ?? "keep", replyTo };
    case "restart-as-new": {
      const choice = deployment ?? "latest";
      return { type: "restart-as-new", id, newId, upToIndex, deployment: choice, replyTo };
    }
    default:
      return { type: operation, id, replyTo };
  }
}

function outcomeOf({ operation, id }: OperationRequest, reply: AppliedReply): Operated {
  switch (reply.kind) {
    case "not-found":
      throw unknownInvocation(id);
    case "conflict":
      throw conflict(operation, reply.status);
    case "refused":
      throw new AdminError(REFUSED_STATUS[reply.reason], reply.message);
    case "pending":
      return { status: 202, newId: null };
    case "restarted":
      return { status: 200, newId: invocationIdToString(reply.id) };
    case "done":
      return { status: doneStatus(operation, reply.status), newId: null };
    default:
      throw new Error(`${operation} was answered with ${reply.kind}`);
  }
}

/** 202 where the invocation itself has yet to do its part. `before` is what it was doing. */
function doneStatus(operation: Operation, before: string | undefined): 200 | 202 {
  if (operation === "cancel") return before === "scheduled" || before === "queued" ? 200 : 202;
  if (operation === "pause") return before === "backing-off" || before === "suspended" ? 202 : 200;
  return 200;
}

/** Too early is not wrong for ever: clients tell the two apart. */
function conflict(operation: Operation, status: string): AdminError {
  const isEarly = status === "scheduled" || status === "queued";
  const waits = operation === "resume" || operation === "restart-as-new";
  const message = `the invocation is ${status}: ${MEANT_FOR[operation]}`;
  return new AdminError(isEarly && waits ? 425 : 409, message);
}

const MEANT_FOR: Readonly<Record<Operation, string>> = {
  cancel: "only what is not completed can be cancelled",
  kill: "only what is not completed can be killed",
  pause: "only what has started and is not completed can be paused",
  resume: "only what is paused, suspended or backing off can be resumed",
  purge: "only what is completed can be purged",
  "purge-journal": "only the journal of what is completed can be purged",
  "restart-as-new": "only what is completed can be restarted as new",
};

const REFUSED_STATUS: Readonly<Record<RefusalReason, number>> = {
  "unknown-target": 400,
  "unknown-deployment": 400,
  "incompatible-deployment": 400,
  "not-pinned": 409,
  "deployment-in-use": 409,
  "unknown-service": 404,
  "journal-purged": 410,
  workflow: 422,
  "incomplete-prefix": 400,
  "version-mismatch": 412,
};

const DEPLOYMENT_ID = /^dp_1[0-9a-zA-Z]{22}$/;

/** `keep`, `latest` or an id; null when the request does not say. */
export function parseDeployment(text: string | null): DeploymentChoice | null {
  if (text === null || text === "") return null;
  if (/^[kK]eep$/.test(text)) return "keep";
  if (/^[lL]atest$/.test(text)) return "latest";
  if (DEPLOYMENT_ID.test(text)) return { id: text };
  throw new AdminError(400, "deployment must be keep, latest or the id of a deployment");
}
