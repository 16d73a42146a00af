/** Who still needs a deployment: services whose new invocations go to it, and invocations that are not over. */
import type { Registry } from "../machine/registry.ts";
import type { Reader } from "../machine/tx.ts";
import type { Door, LiveAttempts } from "../processor/ports.ts";
import type { QueryAnswer, RunQuery } from "./query-route.ts";

export type DeploymentStatus = "active" | "draining" | "drained";

/** Who needs which deployment, at one moment. */
export interface Usage {
  /** Those that invocations are bound to, or run on now. */
  readonly needed: ReadonlySet<string>;
  /** Open invocations by the deployment they are bound to; null when they cannot be counted now. */
  readonly counts: ReadonlyMap<string, number> | null;
}

export interface UsageSources {
  readonly door: Door;
  readonly live: LiveAttempts;
  readonly query: RunQuery;
}

export async function readUsage({ door, live, query }: UsageSources): Promise<Usage> {
  const counts = await countPinned(query);
  return { counts, needed: await door.readDurable((reader) => neededIn(reader, live)) };
}

function neededIn(reader: Reader, live: LiveAttempts): ReadonlySet<string> {
  const ids = [...reader.registry().deployments.keys()];
  const needed = new Set(ids.filter((id) => reader.isPinned(id)));
  // An invocation that has not stored a command yet runs without being bound.
  for (const { deploymentId } of live.all()) needed.add(deploymentId);
  return needed;
}

const COUNTS = `SELECT pinned_deployment_id AS deployment, COUNT(1) AS invocations FROM sys_invocation_status
  WHERE status != 'completed' AND pinned_deployment_id IS NOT NULL GROUP BY pinned_deployment_id`;

/** The count waits for other queries, and is not worth more than this. */
const COUNT_TIMEOUT_MS = 2000;

/** Counted on the engine's own connection: a scan over all open invocations must not hold up the writer. */
async function countPinned(query: RunQuery): Promise<Usage["counts"]> {
  const answer = await within(COUNT_TIMEOUT_MS, query(COUNTS, "json"));
  if (answer === null || !answer.ok) return null;
  const document: unknown = JSON.parse(Buffer.from(answer.body).toString("utf8"));
  const rows: unknown = Object.entries(document ?? {}).find(([name]) => name === "rows")?.[1];
  if (!Array.isArray(rows)) return null;
  return new Map(rows.map((row: unknown) => countIn(new Map(Object.entries(row ?? {})))));
}

async function within(
  timeoutMs: number,
  answer: Promise<QueryAnswer>,
): Promise<QueryAnswer | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, timeoutMs, null);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

function countIn(row: ReadonlyMap<string, unknown>): [string, number] {
  return [String(row.get("deployment")), Number(row.get("invocations"))];
}

/**
 * - active: new invocations of some service go to it
 * - draining: none does, but invocations are bound to it or run on it
 * - drained: nothing needs it any more
 */
export function statusOf(registry: Registry, id: string, { needed }: Usage): DeploymentStatus {
  if (servicesOn(registry, id).length > 0) return "active";
  return needed.has(id) ? "draining" : "drained";
}

/** The services whose new invocations go to a deployment. */
export function servicesOn(registry: Registry, id: string): string[] {
  const latest = [...registry.services.values()];
  return latest.filter(({ deploymentId }) => deploymentId === id).map(({ service }) => service);
}
