/** What happens to the town: processes are killed, disks are lost, the store has bad days, servers sleep and are succeeded. */
import { LATE_MS_MAX, type Weather } from "../faulty-s3.ts";
import { ordersOf, type Period } from "./journal.ts";
import type { Ledger } from "./ledger.ts";
import type { Machine } from "./machine.ts";
import type { Durability, Town } from "./town.ts";

/** The store is not down for ever: after this it is fine again. */
const OUTAGE_MS_MAX = 8000;
const OUTAGE_MS_MIN = 1000;
const START_AGAIN_MS = 300;
const STARTS_MAX = 100;
/** From waking up to finding out that another server writes. */
const FENCED_MS_MAX = 30_000;
/** What the callers' clocks and the cut of a segment may add to the interval. */
const SLACK_MS = 1000;
/** A refused start: another server's replica. */
const EXIT_FENCED = 3;

export interface Start {
  readonly tookMs: number;
  readonly restored: boolean;
}

export interface MachineLoss {
  readonly atMs: number;
  /** When another server was ready: until then endpoints may still do what they were told to before. */
  readonly readyAtMs: number;
  /** Age of the oldest thing that was acknowledged and is lost; 0: nothing is. */
  readonly lostMs: number;
  readonly lostCount: number;
  /** What may be lost: nothing under durability `bucket`, else the interval and how far the bucket was behind. */
  readonly allowedMs: number;
  readonly isHealthy: boolean;
}

export interface ChaosOptions {
  readonly town: Town;
  readonly ledger: Ledger;
  readonly random: () => number;
  readonly durability: Durability;
  readonly segmentIntervalMs: number;
  readonly say: (text: string) => void;
}

type Event = () => Promise<void>;

export class Chaos {
  readonly #options: ChaosOptions;
  readonly events = new Map<string, number>();
  readonly starts: Start[] = [];
  readonly refusals = new Map<string, number>();
  readonly losses: MachineLoss[] = [];
  /** See `Period`. */
  readonly excused: Period[] = [];
  #gate: Promise<void> | null = null;
  #outage: NodeJS.Timeout | null = null;
  #fineSinceMs = Date.now();
  #isExpectedDown = false;
  #readyAtMs = Date.now();
  /** How long the last restart took, from the end of the process before. */
  #downMs = 0;

  constructor(options: ChaosOptions) {
    this.#options = options;
  }

  /** For callers: closed while a loss is counted. */
  readonly gate = async (): Promise<void> => {
    while (this.#gate !== null) await this.#gate;
  };

  async run(untilMs: number): Promise<void> {
    const { ledger, random } = this.#options;
    const all: readonly (readonly [string, number, Event])[] = [
      ["server killed", 6, () => this.#killed(["server"])],
      ["endpoint killed", 3, () => this.#killed(["endpoint"])],
      ["both killed", 2, () => this.#killed(["server", "endpoint"])],
      ["machine lost", 4, () => this.machineLost()],
      ["server stopped", 1, () => this.#stopped()],
      ["server succeeded", 2, () => this.succeeded()],
      ["weather", 8, () => this.#weather()],
    ];
    const total = all.reduce((sum, [, weight]) => sum + weight, 0);
    while (Date.now() < untilMs && ledger.broken.length === 0) {
      await pause(300 + random() * 2500);
      let draw = random() * total;
      for (const [name, weight, event] of all) {
        draw -= weight;
        if (draw >= 0) continue;
        this.events.set(name, (this.events.get(name) ?? 0) + 1);
        await event();
        break;
      }
      this.#checkAlive();
    }
    this.clear();
  }

  /** Good weather. */
  clear(): void {
    if (this.#outage !== null) clearTimeout(this.#outage);
    this.#outage = null;
    this.#options.town.s3.set({});
    this.#fineSinceMs = Date.now();
  }

  /** The disk is gone with the machine; another one goes on from the bucket. */
  async machineLost(): Promise<void> {
    const { town, ledger, say, durability } = this.#options;
    const { machine } = town;
    const allowed = await this.#allowance();
    this.#isExpectedDown = true;
    await machine.process.kill();
    const atMs = Date.now();
    const open = this.#closeGate();
    try {
      machine.loseDisk();
      await pause(this.#options.random() * 300);
      await this.#start(machine, true);
      const readyAtMs = Date.now();
      const lost = ledger.lost(ordersOf(machine.data), atMs);
      const lostMs = Math.max(0, ...lost.map(({ ageMs }) => ageMs));
      const loss = { atMs, readyAtMs, lostMs, lostCount: lost.length, ...allowed };
      this.losses.push(loss);
      say(`machine lost: ${lost.length} acknowledged things, at most ${lostMs} ms old`);
      if (lostMs > loss.allowedMs || (durability === "bucket" && lost.length > 0)) {
        const what = lost.slice(0, 5).map((each) => `${each.orderId} ${each.what}`);
        ledger.breach(
          `lost with the machine: ${lost.length} acknowledged things up to ${lostMs} ms old (${what.join(", ")}, …); ` +
            `allowed are ${Math.round(loss.allowedMs)} ms`,
        );
      }
      if (durability === "disk") {
        ledger.forget(lost);
        ledger.era += 1;
      }
    } finally {
      open();
    }
  }

  /** The server sleeps, another machine goes on; when the first wakes up, it must find out and end. */
  async succeeded(): Promise<void> {
    const { town, ledger, random, durability } = this.#options;
    const old = town.machine;
    const allowed = await this.#allowance();
    this.#isExpectedDown = true;
    old.process.pause();
    const pausedMs = Date.now();
    // What was on its way has arrived, or the successor has claimed its number: both happen.
    await pause(random() * 500);
    const next = await town.newMachine();
    const open = durability === "disk" ? this.#closeGate() : () => {};
    try {
      town.machine = next;
      await this.#start(next, true);
      const readyAtMs = Date.now();
      if (durability === "disk") {
        const lost = ledger.lost(ordersOf(next.data), pausedMs);
        const lostMs = Math.max(0, ...lost.map(({ ageMs }) => ageMs));
        const loss = { atMs: pausedMs, readyAtMs, lostMs, lostCount: lost.length, ...allowed };
        this.losses.push(loss);
        if (lostMs > allowed.allowedMs) {
          ledger.breach(`lost with a paused server: ${lost.length} things up to ${lostMs} ms old`);
        }
      }
      await pause(random() * 1000);
      await this.#wakeAndEnd(old);
      if (durability === "bucket") {
        this.#checkKept(next, Date.now(), "with a server that was succeeded");
      } else {
        // What it acknowledged between waking up and finding out is lost as well: durability `disk` promises no more.
        ledger.forget(ledger.lost(ordersOf(next.data), Date.now()));
        ledger.era += 1;
      }
    } finally {
      open();
    }
  }

  async #wakeAndEnd(old: Machine): Promise<void> {
    const { ledger } = this.#options;
    this.clear();
    const fromMs = Date.now();
    old.process.continue();
    while (old.process.alive && Date.now() - fromMs < FENCED_MS_MAX) await pause(20);
    this.excused.push({ fromMs, toMs: Date.now() });
    if (old.process.alive) {
      ledger.breach("a server that was succeeded goes on");
    } else if (old.process.exitCode !== EXIT_FENCED) {
      ledger.breach(`a fenced server ended with exit code ${old.process.exitCode}`);
    }
    await old.process.kill();
    old.loseDisk();
  }

  async #killed(victims: readonly ("server" | "endpoint")[]): Promise<void> {
    const { town, random } = this.#options;
    const { machine, shop } = town;
    if (victims.includes("server")) this.#isExpectedDown = true;
    const kills = victims.map((each) =>
      (each === "server" ? machine.process : shop.process).kill(),
    );
    await Promise.all(kills);
    const atMs = Date.now();
    await pause(random() * 300);
    if (victims.includes("endpoint")) await shop.process.start();
    if (!victims.includes("server")) return;
    await this.#start(machine, false, atMs);
    this.#checkKept(machine, atMs, "with the process");
  }

  #checkKept(machine: Machine, atMs: number, how: string): void {
    const { ledger } = this.#options;
    const lost = ledger.lost(ordersOf(machine.data), atMs);
    if (lost.length === 0) return;
    const what = lost.slice(0, 5).map((each) => `${each.orderId} ${each.what}`);
    ledger.breach(`lost ${how}: ${lost.length} acknowledged things (${what.join(", ")}, …)`);
  }

  async #stopped(): Promise<void> {
    const { town, ledger } = this.#options;
    const { machine } = town;
    this.#isExpectedDown = true;
    const atMs = Date.now();
    const code = await machine.process.stop();
    if (code !== 0) ledger.breach(`SIGTERM ended the server with exit code ${code}`);
    await this.#start(machine, false, atMs);
  }

  async #weather(): Promise<void> {
    const { town, random, say } = this.#options;
    const share = 0.05 + random() * 0.35;
    const bad: readonly Partial<Weather>[] = [
      {},
      {},
      { latencyMs: 20, jitterMs: random() * 500 },
      { errors: share },
      { slowDowns: share },
      { resets: share },
      { lostAnswers: share },
      { late: share / 2 },
      {
        jitterMs: random() * 100,
        errors: 0.05,
        slowDowns: 0.05,
        resets: 0.05,
        lostAnswers: 0.05,
        late: 0.05,
      },
      { state: "gone" },
      { state: "denied" },
      { state: "silent" },
    ];
    const next = bad[Math.floor(random() * bad.length)] ?? {};
    if (Object.keys(next).length === 0) return this.clear();
    say(`weather: ${JSON.stringify(next)}`);
    this.clear();
    town.s3.set(next);
    this.#fineSinceMs = Number.POSITIVE_INFINITY;
    if (next.state === undefined) return;
    const outageMs = OUTAGE_MS_MIN + random() * (OUTAGE_MS_MAX - OUTAGE_MS_MIN);
    this.#outage = setTimeout(() => this.clear(), outageMs);
  }

  /** As a supervisor would: again, until it is ready. */
  async #start(machine: Machine, restored: boolean, sinceMs = Date.now()): Promise<void> {
    const { town, ledger } = this.#options;
    for (let attempt = 1; attempt <= STARTS_MAX; attempt += 1) {
      const { state } = town.s3.weather;
      const beganMs = performance.now();
      machine.process.errors = "";
      try {
        await machine.process.start();
        if (attempt === 1) this.starts.push({ tookMs: performance.now() - beganMs, restored });
        this.#isExpectedDown = false;
        this.#readyAtMs = Date.now();
        this.#downMs = this.#readyAtMs - sinceMs;
        return;
      } catch {
        const { exitCode, errors } = machine.process;
        const said =
          /^holdfast: (.*)$/m.exec(errors)?.[1] ?? errors.trim().split("\n").at(-1) ?? "";
        const refusal = `${state}, exit code ${exitCode}: ${said.slice(0, 200)}`;
        this.refusals.set(refusal, (this.refusals.get(refusal) ?? 0) + 1);
        if (exitCode === EXIT_FENCED || exitCode === null) {
          ledger.breach(`the server does not go on: ${said}`);
          throw new Error(`the server does not go on: ${said}`);
        }
      }
      // Whoever sees that mends the credentials.
      if (town.s3.weather.state === "denied") this.clear();
      await pause(START_AGAIN_MS);
    }
    ledger.breach(`the server could not be started in ${STARTS_MAX} attempts`);
    throw new Error("the server could not be started");
  }

  #checkAlive(): void {
    const { town, ledger } = this.#options;
    const { process } = town.machine;
    if (process.alive || this.#isExpectedDown) return;
    ledger.breach(`the server ended by itself with exit code ${process.exitCode}`);
  }

  /** What a loss of the disk at this moment may cost. */
  async #allowance(): Promise<{ readonly allowedMs: number; readonly isHealthy: boolean }> {
    const { town, durability, segmentIntervalMs } = this.#options;
    const health = await town.machine.health();
    const lagMs = health?.replica?.lag_ms ?? 0;
    const boundMs = segmentIntervalMs + SLACK_MS;
    const upMs = Date.now() - this.#readyAtMs;
    // What lands late from before may be missing as well.
    const fineMs = Date.now() - this.#fineSinceMs;
    const isHealthy =
      fineMs > LATE_MS_MAX + boundMs && upMs > 2 * boundMs && health?.status === "ok";
    if (durability === "bucket") return { allowedMs: 0, isHealthy };
    // A server does not count how long what its predecessor left in the log has waited.
    const leftMs = lagMs + boundMs >= upMs ? this.#downMs : 0;
    return { allowedMs: boundMs + (isHealthy ? 0 : lagMs + leftMs), isHealthy };
  }

  #closeGate(): () => void {
    let open: () => void = () => {};
    this.#gate = new Promise((resolve) => {
      open = () => {
        this.#gate = null;
        resolve();
      };
    });
    return open;
  }
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
