/**
 * What an attempt needs before it can begin: is it still wanted, where does it run, in which protocol version, with which
 * timeouts. Pure over a `Reader`.
 */
import {
  MAX_PROTOCOL_VERSION,
  MIN_PROTOCOL_VERSION,
  negotiateProtocolVersion,
  type ProtocolVersion,
} from "../../sdk/protocol/version.ts";
import { assert } from "../base/assert.ts";
import type { StartAttempt } from "../machine/effect.ts";
import type { AttemptRef, FailAttempt } from "../machine/input.ts";
import type { Invocation, Pin } from "../machine/invocation.ts";
import {
  type Deployment,
  type Registry,
  resolveHandler,
  resolveIn,
  type ResolvedHandler,
} from "../machine/registry.ts";
import type { Reader } from "../machine/tx.ts";
import { notAttempted } from "./failures.ts";
import { openingBytes } from "./opening.ts";

export interface TimeoutDefaults {
  readonly inactivityTimeoutMs: number;
  readonly abortTimeoutMs: number;
}

export interface ReadyPlan extends TimeoutDefaults {
  readonly kind: "ready";
  readonly attempt: AttemptRef;
  readonly version: ProtocolVersion;
  readonly resolved: ResolvedHandler;
  /** Both halves stay open: notifications are sent as they come. */
  readonly isBidirectional: boolean;
}

export type Plan =
  /** The invocation has moved on; the effect is void. */
  | { readonly kind: "stale" }
  /** The attempt cannot be made; this says why. */
  | { readonly kind: "refused"; readonly input: FailAttempt }
  | ReadyPlan;

export type AttemptName = Pick<StartAttempt, "seq" | "epoch">;

const STALE: Plan = { kind: "stale" };

export function planAttempt(reader: Reader, name: AttemptName, defaults: TimeoutDefaults): Plan {
  const invocation = reader.invocation(name.seq);
  if (invocation === undefined || invocation.epoch !== name.epoch) return STALE;
  if (invocation.state.status !== "running") return STALE;
  const resolved = resolve(reader.registry(), invocation);
  if (resolved === undefined) return refused(name, "RT0011", missing(invocation));
  const { deployment, service, handler } = resolved;
  const version = versionFor(deployment, invocation.pin);
  if (typeof version !== "number") return refused(name, version.errorCode, version.message);
  const inactivityTimeoutMs =
    handler.inactivityTimeout ?? service.inactivityTimeout ?? defaults.inactivityTimeoutMs;
  const abortTimeoutMs = handler.abortTimeout ?? service.abortTimeout ?? defaults.abortTimeoutMs;
  const { seq, epoch } = name;
  return {
    kind: "ready",
    attempt: { seq, epoch, deploymentId: deployment.id, protocolVersion: version },
    version,
    resolved,
    isBidirectional: deployment.protocolMode === "BIDI_STREAM" && inactivityTimeoutMs > 0,
    inactivityTimeoutMs,
    abortTimeoutMs,
  };
}

/** The first bytes of the attempt: the journal up to `knownEntries`, which are all durable. */
export function openingOf(
  reader: Reader,
  invocation: Invocation,
  debugId: string,
  knownEntries: number,
  nowMs: number,
): Uint8Array {
  const { seq, id, retryCountSinceLastStoredEntry, modifiedAtMs } = invocation;
  const entries = reader.entries(seq, 0, knownEntries);
  assert(
    entries.length === knownEntries,
    `invocation ${seq} has ${entries.length} entries, not ${knownEntries}`,
  );
  const durationSinceLastStoredEntryMs = Math.max(0, nowMs - modifiedAtMs);
  const facts = { id, debugId, retryCountSinceLastStoredEntry, durationSinceLastStoredEntryMs };
  return openingBytes(facts, entries);
}

function resolve(registry: Registry, { pin, target }: Invocation): ResolvedHandler | undefined {
  const { service, handler } = target;
  return pin === null
    ? resolveHandler(registry, service, handler)
    : resolveIn(registry, pin.deploymentId, service, handler);
}

function missing({ pin, target }: Invocation): string {
  const handler = `${target.service}/${target.handler}`;
  return pin === null
    ? `no deployment offers ${handler}; register one that does`
    : `the invocation is bound to deployment ${pin.deploymentId}, which is gone or no longer offers ${handler}`;
}

function versionFor(
  deployment: Deployment,
  pin: Pin | null,
): ProtocolVersion | { readonly errorCode: string; readonly message: string } {
  const { minProtocolVersion: min, maxProtocolVersion: max } = deployment;
  const offers = `deployment ${deployment.id} offers protocol versions ${min} to ${max}`;
  if (pin === null) {
    const version = negotiateProtocolVersion(min, max, MAX_PROTOCOL_VERSION);
    if (version !== undefined) return version;
    const ours = `${MIN_PROTOCOL_VERSION} to ${MAX_PROTOCOL_VERSION}`;
    return { errorCode: "RT0013", message: `${offers}, this server speaks ${ours}` };
  }
  const pinned = negotiateProtocolVersion(
    pin.protocolVersion,
    pin.protocolVersion,
    MAX_PROTOCOL_VERSION,
  );
  const bound = `the invocation runs in protocol version ${pin.protocolVersion}`;
  if (pinned === undefined) {
    return { errorCode: "RT0014", message: `${bound}, which this server does not speak any more` };
  }
  if (pinned < min || pinned > max) return { errorCode: "RT0013", message: `${bound}; ${offers}` };
  return pinned;
}

/** `deploymentId` and version are not read for an attempt that stores nothing. */
function refused({ seq, epoch }: AttemptName, errorCode: string, message: string): Plan {
  const attempt = { seq, epoch, deploymentId: "", protocolVersion: 0 };
  return { kind: "refused", input: { type: "fail", attempt, ...notAttempted(errorCode, message) } };
}
