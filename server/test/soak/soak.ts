/**
 * The promises of the replica on the real process, for as long as one likes: callers that keep a ledger, and everything that can go
 * wrong going wrong at random. What was promised and not kept is in the report, as words.
 */
import { execFile } from "node:child_process";
import { mkdirSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { executionsOf, stepsOf } from "../audit.ts";
import { Chaos, type MachineLoss, type Start } from "./chaos.ts";
import { digestsOf, isIn, provenRepeats, repeatedSteps } from "./journal.ts";
import { Ledger } from "./ledger.ts";
import { Shoppers } from "./shoppers.ts";
import { type Durability, type OutsideStore, Town } from "./town.ts";

export interface SoakOptions {
  readonly durability: Durability;
  readonly seed: number;
  readonly durationMs: number;
  /** The built server. */
  readonly program?: string;
  readonly shoppers?: number;
  readonly store?: OutsideStore | null;
  /** Keeps disks and logs where a promise was broken. */
  readonly isKept?: boolean;
  readonly say?: (text: string) => void;
}

export interface SoakReport {
  /** Empty: every promise was kept. */
  readonly broken: readonly string[];
  readonly orders: number;
  readonly steps: number;
  readonly repeatedByLoss: number;
  readonly events: Readonly<Record<string, number>>;
  readonly refusedStarts: Readonly<Record<string, number>>;
  readonly losses: readonly MachineLoss[];
  readonly starts: readonly Start[];
  readonly requests: Readonly<Record<string, number>>;
  /** Disks and logs, where they were kept. */
  readonly kept: string | null;
}

const SEGMENT_INTERVAL_MS = 1000;
/** An unlucky order has failed often, and the bucket has to catch up. */
const FINISH_MS_MAX = 180_000;
/** A server works before its ready line is read. */
const READY_MS = 500;
const FLAGS = [
  "--segment-interval",
  `${SEGMENT_INTERVAL_MS}ms`,
  // So many that restores begin with various ones.
  "--snapshot-segments",
  "15",
  "--retry-max-interval",
  "1s",
  "--retry-max-attempts",
  "unlimited",
];

/** Small, seeded, good enough to spread events over a run; how they meet what runs is chance all the same. */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

export async function soak(options: SoakOptions): Promise<SoakReport> {
  const { durability, seed, program = "dist/holdfast.mjs", store = null } = options;
  const say = options.say ?? (() => {});
  const random = randomFrom(seed);
  const town = await Town.build({ durability, program, store, random, flags: FLAGS });
  const ledger = new Ledger();
  const common = { town, ledger, random, durability, say };
  const chaos = new Chaos({ ...common, segmentIntervalMs: SEGMENT_INTERVAL_MS });
  const street = {
    ingress: () => town.machine.ingress,
    orders: town.shop.orders,
    gate: chaos.gate,
  };
  const shoppers = new Shoppers({ street, ledger, random, shoppers: options.shoppers ?? 12 });
  let audited = { steps: 0, repeatedByLoss: 0 };
  try {
    shoppers.start();
    await chaos.run(Date.now() + options.durationMs);
    if (ledger.broken.length === 0) {
      await shoppers.finish(FINISH_MS_MAX);
      await town.caughtUp(FINISH_MS_MAX);
      audited = await audit(options, town, ledger, chaos);
    }
  } catch (error) {
    ledger.breach(error instanceof Error ? error.message : String(error));
  } finally {
    await town.close();
    await shoppers.abandon();
  }
  const isKept = options.isKept === true && ledger.broken.length > 0;
  if (!isKept) town.remove();
  return {
    broken: ledger.broken,
    orders: shoppers.completed,
    ...audited,
    events: Object.fromEntries(chaos.events),
    refusedStarts: Object.fromEntries(chaos.refusals),
    losses: chaos.losses,
    starts: chaos.starts,
    requests: Object.fromEntries(town.s3.requests),
    kept: isKept ? town.root : null,
  };
}

/** Of the stopped server's directory, the shop, and the bucket. */
async function audit(
  { durability }: SoakOptions,
  town: Town,
  ledger: Ledger,
  chaos: Chaos,
): Promise<{ steps: number; repeatedByLoss: number }> {
  const { machine, shop } = town;
  const code = await machine.process.stop();
  if (code !== 0) ledger.breach(`SIGTERM ended the server with exit code ${code}`);
  const steps = stepsOf(machine.data);
  const executions = executionsOf(shop.database);
  for (const each of repeatedSteps(machine.data, steps, executions, chaos.excused)) {
    ledger.breach(each);
  }
  let repeatedByLoss = 0;
  for (const { orderId, kind, provenAtMs, againAtMs } of provenRepeats(executions, ledger)) {
    if (isIn(chaos.excused, againAtMs)) continue;
    const loss = chaos.losses.find(
      ({ readyAtMs }) => provenAtMs <= readyAtMs && readyAtMs <= againAtMs + READY_MS,
    );
    // Under `disk` a server that has lost its place acknowledges until it finds out; nobody else ever hears of it.
    const isLoss =
      isIn(chaos.excused, provenAtMs) ||
      (loss !== undefined && loss.atMs - provenAtMs <= loss.allowedMs);
    if (durability === "disk" && isLoss) repeatedByLoss += 1;
    else ledger.breach(`${orderId} ${kind} ran again ${againAtMs - provenAtMs} ms after its proof`);
  }
  await compareWithBucket(town, ledger);
  return { steps: steps.length, repeatedByLoss };
}

/** What the bucket holds after a clean stop is what the directory holds. */
async function compareWithBucket(town: Town, ledger: Ledger): Promise<void> {
  const { machine, root } = town;
  const restored = path.join(root, "restored");
  mkdirSync(restored);
  const args = [machine.program, "restore", ...town.bucketFlags, "--data", restored];
  const env = { ...process.env, ...town.env, NODE_NO_WARNINGS: "1" };
  await promisify(execFile)(process.execPath, args, { env });
  const [there, here] = [digestsOf(restored), digestsOf(machine.data)];
  for (const [table, digest] of here) {
    if (there.get(table) !== digest) ledger.breach(`table ${table} differs in the bucket`);
  }
}
