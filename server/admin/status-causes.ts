/** Why an invocation is where it is, by its status. Reads, decides nothing. */
import { invocationIdToString } from "../../sdk/protocol/ids.ts";
import { instanceOf, type Invocation, targetText } from "../machine/invocation.ts";
import { type Registry, resolveHandler, resolveIn } from "../machine/registry.ts";
import type { Reader } from "../machine/tx.ts";
import type { LiveAttempt } from "../processor/ports.ts";
import { awaitCauses, openCauses, type Waiting } from "./await-causes.ts";
import { type Cause, cause } from "./cause.ts";
import { failureView } from "./failure-view.ts";
import { rfc3339Nanos } from "../base/rfc3339.ts";

/** Nobody looks further back in a queue. */
const QUEUE_MAX = 1000;

/** What keeps attempts from beginning. */
export interface Obstacles {
  /** The deployment, where it cannot be reached. */
  readonly unreachable: string | undefined;
  readonly isHeld: boolean;
}

/** The first one is the one that matters most. */
export function causesOf(
  waiting: Waiting,
  attempt: LiveAttempt | undefined,
  { unreachable, isHeld }: Obstacles,
): Cause[] {
  const { reader, invocation } = waiting;
  const { state, createdAtMs } = invocation;
  switch (state.status) {
    case "scheduled": {
      const startsAt = rfc3339Nanos(state.startAtMs);
      const more = { sinceMs: createdAtMs, fields: { starts_at: startsAt } };
      return [cause("start-time", `its start time, ${startsAt}`, more)];
    }
    case "queued":
      return [keyCause(reader, invocation)];
    case "suspended":
      return [...awaitCauses(waiting, state.awaiting), ...deploymentCauses(reader, invocation)];
    case "running":
      return [
        ...pausingCauses(state.isPausing),
        ...runningCauses(waiting, attempt, { unreachable, isHeld }),
        ...deploymentCauses(reader, invocation),
      ];
    case "backing-off":
      return [retryCause(invocation, state.retryAtMs), ...deploymentCauses(reader, invocation)];
    case "paused":
      return [pausedCause(reader, invocation), ...deploymentCauses(reader, invocation)];
    default:
      return [];
  }
}

function keyCause(reader: Reader, invocation: Invocation): Cause {
  const instance = instanceOf(invocation);
  const sinceMs = invocation.queuedAtMs ?? invocation.modifiedAtMs;
  if (instance === null) return cause("key", "its turn", { sinceMs, isNeeded: true });
  const at = reader.queue(instance, QUEUE_MAX).indexOf(invocation.seq);
  const holderSeq = reader.lockHolder(instance);
  const holder = holderSeq === undefined ? undefined : reader.invocation(holderSeq);
  const fields = {
    service: instance.service,
    key: instance.key,
    position: at < 0 ? undefined : at + 1,
    holder: holder === undefined ? undefined : invocationIdToString(holder.id),
  };
  const place = at > 0 ? `, behind ${at} more` : "";
  const held = holder === undefined ? "" : `, held by ${nameOf(holder)}`;
  return cause("key", `the key '${instance.key}' of ${instance.service}${place}${held}`, {
    sinceMs,
    isNeeded: true,
    fields,
    behind: holderSeq === undefined ? null : { by: "key", invocation: holder },
  });
}

function nameOf({ target, id }: Invocation): string {
  return `${targetText(target)} (${invocationIdToString(id)})`;
}

function pausingCauses(isPausing: boolean): Cause[] {
  return isPausing ? [cause("pausing", "it pauses when its attempt has ended")] : [];
}

function runningCauses(
  waiting: Waiting,
  attempt: LiveAttempt | undefined,
  { unreachable, isHeld }: Obstacles,
): Cause[] {
  const { lastStartAtMs, modifiedAtMs } = waiting.invocation;
  if (attempt === undefined) {
    const sinceMs = lastStartAtMs ?? modifiedAtMs;
    if (isHeld) {
      const phrase = "an operator to release what was restored";
      return [cause("held", phrase, { sinceMs, fields: { mend: "POST /held/release" } })];
    }
    if (unreachable !== undefined) {
      const phrase = `the endpoint of ${unreachable}, which cannot be reached`;
      return [cause("endpoint", phrase, { sinceMs, fields: { deployment_id: unreachable } })];
    }
    return [cause("room", "room for an attempt among those in flight", { sinceMs })];
  }
  const { deploymentId, sdkVersion, startedAtMs, awaitingOn } = attempt;
  const awaited = awaitingOn === null ? [] : awaitCauses(waiting, awaitingOn);
  if (awaited.length > 0) return awaited;
  const fields = { deployment_id: deploymentId, sdk_version: sdkVersion ?? undefined };
  const running = cause("attempt", "its handler", { sinceMs: startedAtMs, fields });
  if (awaitingOn !== null) return [running];
  const possible = openCauses(waiting);
  return [running, ...possible.map((each) => ({ ...each, isCertain: false }))];
}

function retryCause({ retryCount, lastFailure }: Invocation, retryAtMs: number): Cause {
  const nextAt = rfc3339Nanos(retryAtMs);
  return cause("retry", `its next attempt at ${nextAt}`, {
    sinceMs: lastFailure?.atMs ?? null,
    fields: {
      next_retry_at: nextAt,
      retry_count: retryCount,
      last_failure: lastFailure === null ? undefined : failureView(lastFailure),
    },
  });
}

function pausedCause(reader: Reader, invocation: Invocation): Cause {
  const { state, lastFailure, id } = invocation;
  const reason = state.status === "paused" ? state.reason : "operator";
  const events = reader.events(invocation.seq);
  const paused = events.findLast(({ kind }) => kind === "paused");
  return cause("paused", "an operator", {
    sinceMs: paused?.atMs ?? invocation.modifiedAtMs,
    fields: {
      reason,
      last_failure: lastFailure === null ? undefined : failureView(lastFailure),
      mend: `PATCH /invocations/${invocationIdToString(id)}/resume`,
    },
  });
}

/** What is wrong with where it runs, or would run. */
function deploymentCauses(reader: Reader, { pin, target, id }: Invocation): Cause[] {
  const registry = reader.registry();
  const { service, handler } = target;
  if (pin === null) {
    if (resolveHandler(registry, service, handler) !== undefined) return [];
    const fields = { mend: "POST /deployments" };
    return [cause("no-deployment", `no deployment offers ${service}/${handler}`, { fields })];
  }
  return pinnedCauses(registry, pin.deploymentId, target, invocationIdToString(id));
}

function pinnedCauses(
  registry: Registry,
  deploymentId: string,
  { service, handler }: Invocation["target"],
  id: string,
): Cause[] {
  const deployment = registry.deployments.get(deploymentId);
  const mend = `PATCH /invocations/${id}/resume?deployment=latest`;
  const fields = { deployment_id: deploymentId };
  if (deployment === undefined) {
    const phrase = `its deployment ${deploymentId} is not registered any more`;
    return [cause("deployment-missing", phrase, { fields: { ...fields, mend } })];
  }
  if (resolveIn(registry, deploymentId, service, handler) === undefined) {
    const phrase = `its deployment ${deploymentId} does not offer ${service}/${handler} any more`;
    return [cause("handler-missing", phrase, { fields: { ...fields, mend } })];
  }
  if (deployment.drainingSinceMs === null) return [];
  const phrase = `its deployment ${deploymentId} is draining; it may finish there`;
  const sinceMs = deployment.drainingSinceMs;
  return [cause("deployment-draining", phrase, { sinceMs, fields })];
}
