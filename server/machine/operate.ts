/** The start of the process, and what is registered: deployments, and what operators set for services. */
import type {
  DeleteDeployment,
  FetchReady,
  OverrideService,
  RegisterDeployment,
  UpdateDeployment,
} from "./input.ts";
import { withDeployment } from "./registry.ts";
import { reply } from "./reply.ts";
import { requestAttempt } from "./status.ts";
import type { Step } from "./step.ts";

/**
 * Derives the effects that were lost with the last process, or dropped for want of room: the attempts of a page of running
 * invocations and, with the first page, the earliest timer.
 */
export function onFetchReady(step: Step, input: FetchReady): void {
  const { tx, effects } = step;
  const page = tx.running(input.afterSeq, input.limit);
  for (const invocation of page) requestAttempt(step, invocation);
  const last = page.length === input.limit ? page.at(-1) : undefined;
  effects.push({ type: "ready-page", lastSeq: last?.seq ?? null });
  const dueMs = input.afterSeq === 0 ? tx.nextDueMs() : undefined;
  if (dueMs !== undefined) effects.push({ type: "arm-timer", dueMs });
}

export function onRegisterDeployment(step: Step, input: RegisterDeployment): void {
  const { revisions } = withDeployment(step.tx.registry(), input.deployment);
  step.tx.putDeployment(input.deployment, revisions);
  reply(step, input.replyTo, { kind: "done" });
}

/** Services it offers for the first time get a revision; the others keep theirs. */
export function onUpdateDeployment(step: Step, input: UpdateDeployment): void {
  const { deployment } = input;
  const registry = step.tx.registry();
  if (!registry.deployments.has(deployment.id))
    return unknownDeployment(step, input, deployment.id);
  const { revisions } = withDeployment(registry, deployment);
  const isNew = (service: string): boolean =>
    registry.revisions.get(service)?.some((each) => each.deploymentId === deployment.id) !== true;
  step.tx.putDeployment(
    deployment,
    revisions.filter(({ service }) => isNew(service)),
  );
  return reply(step, input.replyTo, { kind: "done" });
}

export function onDeleteDeployment(step: Step, input: DeleteDeployment): void {
  const { id, force, replyTo } = input;
  const registry = step.tx.registry();
  if (!registry.deployments.has(id)) return unknownDeployment(step, input, id);
  const used = [...registry.services.values()].filter((latest) => latest.deploymentId === id);
  if (!force && used.length > 0) {
    const names = used.map(({ service }) => service).join(", ");
    const message = `new invocations of ${names} go to deployment ${id}: register a newer one, drain it, or force it`;
    return reply(step, replyTo, { kind: "refused", reason: "deployment-in-use", message });
  }
  if (!force && step.tx.isPinned(id)) {
    const message = `invocations are bound to deployment ${id}: drain it and wait for them, move them with resume, or force it`;
    return reply(step, replyTo, { kind: "refused", reason: "deployment-in-use", message });
  }
  step.tx.deleteDeployment(id);
  return reply(step, replyTo, { kind: "done" });
}

function unknownDeployment(
  step: Step,
  { replyTo }: UpdateDeployment | DeleteDeployment,
  id: string,
): void {
  const message = `there is no deployment ${id}`;
  reply(step, replyTo, { kind: "refused", reason: "unknown-deployment", message });
}

export function onOverrideService(step: Step, input: OverrideService): void {
  const { service, overrides, replyTo } = input;
  if (!step.tx.registry().revisions.has(service)) {
    const message = `there is no service ${service}`;
    return reply(step, replyTo, { kind: "refused", reason: "unknown-service", message });
  }
  step.tx.putOverrides(service, overrides);
  return reply(step, replyTo, { kind: "done" });
}
