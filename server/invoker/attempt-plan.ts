/**
 * What an attempt needs before it can begin: is it still wanted, where does it run, in which protocol version, with which
 * timeouts. Pure over a `Reader`.
 */
import {
  MAX_PROTOCOL_VERSION,
  MIN_PROTOCOL_VERSION,
  negotiateProtocolVersion,
  type ProtocolVersion,
  serverMaxFor,
} from "../../sdk/protocol/version.ts";
import type { StartAttempt } from "../machine/effect.ts";
import type { AttemptRef, FailAttempt, Yield } from "../machine/input.ts";
import type { Invocation, Pin } from "../machine/invocation.ts";
import { type Deployment, resolveFor, type ResolvedHandler } from "../machine/registry.ts";
import type { Reader } from "../machine/tx.ts";
import { notAttempted } from "./failures.ts";

export interface Timeouts {
  readonly inactivityTimeoutMs: number;
  readonly abortTimeoutMs: number;
}

/** What holds where neither handler nor service says otherwise. */
export interface PlanDefaults extends Timeouts {
  /** For SDKs of others. */
  readonly protocolVersionMax: ProtocolVersion;
}

export interface ReadyPlan extends Timeouts {
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
  | { readonly kind: "refused"; readonly invocation: Invocation; readonly input: FailAttempt }
  /** The invocation is to pause, and it has no attempt that could be asked to suspend. */
  | { readonly kind: "yielded"; readonly input: Yield }
  | { readonly kind: "ready"; readonly invocation: Invocation; readonly plan: ReadyPlan };

export type AttemptName = Pick<StartAttempt, "seq" | "epoch">;

const STALE: Plan = { kind: "stale" };

export function planAttempt(reader: Reader, name: AttemptName, defaults: PlanDefaults): Plan {
  const { seq, epoch } = name;
  const invocation = reader.invocation(seq);
  if (invocation === undefined || invocation.epoch !== epoch) return STALE;
  if (invocation.state.status !== "running") return STALE;
  if (invocation.state.isPausing) return { kind: "yielded", input: { type: "yield", seq, epoch } };
  const { target, pin } = invocation;
  const resolved = resolveFor(reader.registry(), target, pin?.deploymentId ?? null);
  if (resolved === undefined) return refused(invocation, "RT0011", missing(invocation));
  const { deployment, service, handler } = resolved;
  const version = versionFor(deployment, pin, defaults.protocolVersionMax);
  if (typeof version !== "number") return refused(invocation, version.errorCode, version.message);
  const inactivityTimeoutMs =
    handler.inactivityTimeout ?? service.inactivityTimeout ?? defaults.inactivityTimeoutMs;
  const abortTimeoutMs = handler.abortTimeout ?? service.abortTimeout ?? defaults.abortTimeoutMs;
  const plan: ReadyPlan = {
    attempt: { seq, epoch, deploymentId: deployment.id, protocolVersion: version },
    version,
    resolved,
    isBidirectional: deployment.protocolMode === "BIDI_STREAM" && inactivityTimeoutMs > 0,
    inactivityTimeoutMs,
    abortTimeoutMs,
  };
  return { kind: "ready", invocation, plan };
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
  protocolVersionMax: ProtocolVersion,
): ProtocolVersion | { readonly errorCode: string; readonly message: string } {
  const { minProtocolVersion: min, maxProtocolVersion: max, sdkVersion } = deployment;
  const offers = `deployment ${deployment.id} offers protocol versions ${min} to ${max}`;
  if (pin === null) {
    const serverMax = serverMaxFor(sdkVersion, protocolVersionMax);
    const version = negotiateProtocolVersion(min, max, serverMax);
    if (version !== undefined) return version;
    const isAllowed = min > MAX_PROTOCOL_VERSION || min <= serverMax;
    const hint = isAllowed ? "" : `; start it with --max-protocol-version ${min} to allow it`;
    const ours = `this server speaks ${MIN_PROTOCOL_VERSION} to ${serverMax}`;
    return { errorCode: "RT0013", message: `${offers}, ${ours}${hint}` };
  }
  // What an invocation has begun in stays allowed, whatever is set for new ones.
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
function refused(invocation: Invocation, errorCode: string, message: string): Plan {
  const { seq, epoch } = invocation;
  const attempt = { seq, epoch, deploymentId: "", protocolVersion: 0 };
  const input = { type: "fail", attempt, ...notAttempted(errorCode, message) } as const;
  return { kind: "refused", input, invocation };
}
