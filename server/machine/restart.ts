/** A completed invocation runs once more, as a new one (HTTP API 2.5). */
import { decodeMessage } from "../../sdk/protocol/codec.ts";
import { isCommand, MessageType } from "../../sdk/protocol/message-type.ts";
import type { Message } from "../../sdk/protocol/messages.ts";
import { negotiateProtocolVersion, serverMaxFor } from "../../sdk/protocol/version.ts";
import { invocationIdOfKey } from "../base/ids.ts";
import { notificationOf } from "../journal/notification-of.ts";
import type { Entry } from "../journal/summary.ts";
import { enter, firstState } from "./exclusive.ts";
import { find } from "./find.ts";
import type { RestartAsNew } from "./input.ts";
import type { Invocation, Pin } from "./invocation.ts";
import { type Deployment, resolveIn } from "./registry.ts";
import { retention } from "./policy.ts";
import { reply } from "./reply.ts";
import { choose, type Refusal } from "./resume.ts";
import type { Step } from "./step.ts";

export function onRestartAsNew(step: Step, input: RestartAsNew): void {
  const invocation = find(step, input.id);
  if (invocation === undefined) return reply(step, input.replyTo, { kind: "not-found" });
  const { status } = invocation.state;
  if (status !== "completed") return reply(step, input.replyTo, { kind: "conflict", status });
  const refusal = restart(step, invocation, input);
  if (refusal !== null) return reply(step, input.replyTo, { kind: "refused", ...refusal });
  const id = newIdOf(invocation, input.newId);
  return reply(step, input.replyTo, { kind: "restarted", id });
}

function newIdOf({ target }: Invocation, newId: Uint8Array): Uint8Array {
  return target.key === null ? newId : invocationIdOfKey(newId, target.key);
}

function restart(step: Step, old: Invocation, input: RestartAsNew): Refusal | null {
  const { target, kind } = old;
  if (kind === "run" || kind === "workflow-shared") {
    const message = "a workflow runs once per key: purge it to run it again";
    return { reason: "workflow", message };
  }
  if (old.isJournalPurged) {
    return { reason: "journal-purged", message: "its journal, and with it its input, is gone" };
  }
  const entries = prefixOf(step, old, input.upToIndex);
  if ("reason" in entries) return entries;
  const deployment = choose(step, target, input.deployment, old.pin?.deploymentId ?? null);
  if ("reason" in deployment) return deployment;
  const isBound = entries.length > 1 || input.deployment !== "latest";
  const pin = isBound ? pinOf(step, old, deployment) : null;
  if (pin !== null && "reason" in pin) return pin;
  insert(step, old, newIdOf(old, input.newId), deployment, pin, entries);
  return null;
}

/** Entries 0 to `upToIndex`, if a handler can go on from there. */
function prefixOf(step: Step, { seq, journal }: Invocation, upToIndex: number): Entry[] | Refusal {
  if (upToIndex >= journal.length) {
    const message = `its journal has ${journal.length} entries, numbered from 0`;
    return { reason: "incomplete-prefix", message };
  }
  const entries = step.tx.entries(seq, 0, upToIndex + 1);
  const open = new Set<number>();
  for (const entry of entries) {
    const { type, body } = entry;
    if (type === MessageType.OutputCommand) {
      return { reason: "incomplete-prefix", message: "the prefix holds the output already" };
    }
    if (isCommand(type)) for (const id of completionIdsOf(decodeMessage(type, body))) open.add(id);
    const completed = notificationOf(entry)?.id;
    if (completed?.kind === "completion") open.delete(completed.completionId);
  }
  if (open.size === 0) return entries;
  const message =
    `entry ${upToIndex} lies between a command and its result ` +
    `(${[...open].slice(0, 10).join(", ")}): choose a place where none is open`;
  return { reason: "incomplete-prefix", message };
}

function completionIdsOf(message: Message): number[] {
  const ids: number[] = [];
  if ("resultCompletionId" in message) ids.push(message.resultCompletionId);
  if ("invocationIdCompletionId" in message) ids.push(message.invocationIdCompletionId);
  return ids;
}

/** Commands of the old journal are replayed: the version has to be one that both knew. */
function pinOf(step: Step, old: Invocation, deployment: Deployment): Pin | Refusal {
  const { id: deploymentId, minProtocolVersion: min, maxProtocolVersion: max } = deployment;
  const versionMax = serverMaxFor(deployment.sdkVersion, step.settings.protocolVersionMax);
  const pinned = old.pin?.protocolVersion;
  const protocolVersion =
    pinned !== undefined && pinned >= min && pinned <= max
      ? pinned
      : negotiateProtocolVersion(min, max, versionMax);
  if (protocolVersion !== undefined) return { deploymentId, protocolVersion };
  const message = `deployment ${deploymentId} speaks protocol versions ${min} to ${max} only`;
  return { reason: "incompatible-deployment", message };
}

function insert(
  step: Step,
  old: Invocation,
  id: Uint8Array,
  deployment: Deployment,
  pin: Pin | null,
  entries: readonly Entry[],
): void {
  const { tx, nowMs, settings } = step;
  const { target, kind, trace } = old;
  const resolved = resolveIn(tx.registry(), deployment.id, target.service, target.handler);
  const kept =
    resolved === undefined
      ? {
          completionRetentionMs: old.completionRetentionMs,
          journalRetentionMs: old.journalRetentionMs,
        }
      : retention(settings, resolved, kind, false);
  const invocation = tx.insertInvocation({
    id,
    target,
    kind,
    idempotencyKey: null,
    caller: null,
    restartedFrom: old.id,
    trace,
    createdAtMs: nowMs,
    startAtMs: null,
    ...kept,
    state: firstState(step, target, kind, null),
  });
  for (const { type, body, atMs } of entries) tx.append(invocation, type, body, atMs);
  if (pin !== null) {
    invocation.pin = pin;
    tx.save(invocation);
  }
  enter(step, invocation);
}
