/** What operators do to an invocation that is to go on later: pause and resume (HTTP API 2.5). */
import type { RefusalReason } from "./effect.ts";
import { pause } from "./fail.ts";
import { find } from "./find.ts";
import type { DeploymentChoice, Pause, Resume } from "./input.ts";
import type { Invocation, Target } from "./invocation.ts";
import { record } from "./record.ts";
import { type Deployment, resolveHandler, resolveIn } from "./registry.ts";
import { reply } from "./reply.ts";
import { run, transition } from "./status.ts";
import type { Step } from "./step.ts";

/** A running invocation pauses once its attempt has suspended; what waits pauses at once. */
export function onPause(step: Step, input: Pause): void {
  const invocation = find(step, input.id);
  if (invocation === undefined) return reply(step, input.replyTo, { kind: "not-found" });
  const { status } = invocation.state;
  switch (status) {
    case "running": {
      const { seq, epoch } = invocation;
      transition(step, invocation, { status, isPausing: true });
      step.effects.push({ type: "suspend-attempt", seq, epoch });
      return reply(step, input.replyTo, { kind: "pending" });
    }
    case "suspended":
    case "backing-off":
      pause(step, invocation, "operator");
      return reply(step, input.replyTo, { kind: "done", status });
    case "paused":
      return reply(step, input.replyTo, { kind: "done", status });
    default:
      return reply(step, input.replyTo, { kind: "conflict", status });
  }
}

/** It goes on at once, with all its tries, on the deployment that was chosen. */
export function onResume(step: Step, input: Resume): void {
  const invocation = find(step, input.id);
  if (invocation === undefined) return reply(step, input.replyTo, { kind: "not-found" });
  const { status } = invocation.state;
  const moves = input.deployment !== "keep";
  const isWaiting = status === "scheduled" || status === "queued";
  if (status === "completed" || isWaiting || (moves && status === "running")) {
    return reply(step, input.replyTo, { kind: "conflict", status });
  }
  const refusal = moves ? movePin(step, invocation, input.deployment) : null;
  if (refusal !== null) return reply(step, input.replyTo, { kind: "refused", ...refusal });
  if (status === "running") {
    transition(step, invocation, { status, isPausing: false });
  } else {
    invocation.retryCount = 0;
    record(step, invocation, {
      kind: "resumed",
      deploymentId: invocation.pin?.deploymentId ?? null,
    });
    run(step, invocation);
  }
  return reply(step, input.replyTo, { kind: "done", status });
}

export interface Refusal {
  readonly reason: RefusalReason;
  readonly message: string;
}

/** Binds an invocation to another deployment that can go on with its journal. */
function movePin(step: Step, invocation: Invocation, choice: DeploymentChoice): Refusal | null {
  const { pin, target } = invocation;
  if (pin === null) {
    const message = "it is bound to no deployment yet, and goes to the latest one anyway";
    return { reason: "not-pinned", message };
  }
  const chosen = choose(step, target, choice, pin.deploymentId);
  if ("reason" in chosen) return chosen;
  const { id, minProtocolVersion: min, maxProtocolVersion: max } = chosen;
  const { protocolVersion } = pin;
  if (protocolVersion < min || protocolVersion > max) {
    const message = `its journal is of protocol version ${protocolVersion}, and ${id} speaks ${min} to ${max}`;
    return { reason: "incompatible-deployment", message };
  }
  invocation.pin = { deploymentId: id, protocolVersion };
  return null;
}

/** The deployment that is meant, if it offers the handler. */
export function choose(
  step: Step,
  { service, handler }: Target,
  choice: DeploymentChoice,
  pinnedId: string | null,
): Deployment | Refusal {
  const registry = step.tx.registry();
  const isLatest = choice === "latest" || (choice === "keep" && pinnedId === null);
  const id = isLatest
    ? (resolveHandler(registry, service, handler)?.deployment.id ?? null)
    : typeof choice === "string"
      ? pinnedId
      : choice.id;
  if (id === null) {
    return { reason: "unknown-target", message: `no deployment offers ${service}/${handler} now` };
  }
  if (!registry.deployments.has(id)) {
    return { reason: "unknown-deployment", message: `there is no deployment ${id}` };
  }
  const resolved = resolveIn(registry, id, service, handler);
  if (resolved !== undefined) return resolved.deployment;
  const message = `deployment ${id} does not offer ${service}/${handler}`;
  return { reason: "incompatible-deployment", message };
}
