/** Real servers that stand by for each other: who takes over, when, and what is lost by it, which is nothing. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import http2 from "node:http2";
import type { AddressInfo } from "node:net";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { type Context, createEndpointHandler, service } from "@holdfast/sdk";
import { freePort, get, persist, post, register, temporaryDirectory } from "./harness.ts";
import { TestProcess } from "./process.ts";

const EXIT_FENCED = 3;
const PATIENCE_MS = 30_000;
const STEPS = 30;
const STEP_MS = 100;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** How often each step ran. */
const ran = new Map<string, number>();
const walker = service({
  name: "Walker",
  handlers: {
    walk: async (ctx: Context, name: string) => {
      for (let step = 0; step < STEPS; step += 1) {
        await ctx.run(`step ${step}`, async () => {
          const key = `${name} ${step}`;
          ran.set(key, (ran.get(key) ?? 0) + 1);
          await pause(STEP_MS);
        });
      }
      return name;
    },
    greet: async (_ctx: Context, name: string) => await Promise.resolve(name),
  },
});

interface Health {
  readonly status: string;
  readonly role?: string;
  readonly replica: {
    readonly state: string;
    readonly epoch: number | null;
    readonly segment?: number | null;
    readonly lag_segments?: number | null;
    readonly lease?: { readonly state: string };
  };
}

class Station {
  readonly ingress: string;
  readonly admin: string;
  readonly data: string;
  readonly process: TestProcess;
  #ready: Promise<unknown> = Promise.resolve();

  private constructor(data: string, ports: readonly number[], flags: readonly string[]) {
    const [ingress, admin] = ports.map((port) => `127.0.0.1:${port}`);
    this.ingress = `http://${ingress}`;
    this.admin = `http://${admin}`;
    this.data = data;
    const addresses = ["--ingress", `${ingress}`, "--admin", `${admin}`];
    this.process = new TestProcess({
      args: ["dist/holdfast.mjs", "serve", ...addresses, "--data", data, ...flags],
    });
  }

  static async build(data: string, flags: readonly string[]): Promise<Station> {
    return new Station(data, [await freePort(), await freePort()], flags);
  }

  start(): void {
    this.#ready = this.process.start();
    this.#ready.catch(() => {});
  }

  /** It serves. */
  async serving(): Promise<void> {
    await this.#ready;
  }

  async health(): Promise<Health> {
    return JSON.parse((await get(`${this.admin}/health`)).text) as Health;
  }

  async standingBy(isSo: (health: Health) => boolean = () => true): Promise<Health> {
    return await persist(async () => {
      const health = await this.health();
      const isFollowing = health.role === "standby" && health.replica.state === "following";
      return isFollowing && isSo(health) ? health : undefined;
    }, PATIENCE_MS);
  }

  async exit(): Promise<number | null> {
    await persist(() => Promise.resolve(this.process.alive ? undefined : true), PATIENCE_MS);
    return this.process.exitCode;
  }

  /** Facts of the last line of the log of this event. */
  said(event: string): string {
    const lines = this.process.errors.split("\n");
    return lines.findLast((line) => line.includes(`"event":"${event}"`)) ?? "";
  }
}

describe("a server that stands by", () => {
  let directory: ReturnType<typeof temporaryDirectory>;
  let endpoint: http2.Http2Server;
  const sessions = new Set<http2.ServerHttp2Session>();
  const stations: Station[] = [];
  let uri = "";

  before(async () => {
    endpoint = http2.createServer(createEndpointHandler({ services: [walker] }));
    endpoint.on("session", (session) => sessions.add(session));
    endpoint.listen(0, "127.0.0.1");
    await once(endpoint, "listening");
    uri = `http://127.0.0.1:${(endpoint.address() as AddressInfo).port}`;
  });

  after(async () => {
    for (const session of sessions) session.destroy();
    await new Promise((resolve) => endpoint.close(resolve));
  });

  beforeEach(() => (directory = temporaryDirectory()));

  afterEach(async () => {
    for (const { process } of stations) process.continue();
    await Promise.all(stations.splice(0).map(({ process }) => process.kill()));
    directory.remove();
  });

  async function station(name: string, lease: string, more: readonly string[]): Promise<Station> {
    const made = await Station.build(`${directory.path}/${name}`, [
      "--bucket",
      `file://${directory.path}/bucket`,
      "--durability",
      "bucket",
      "--segment-interval",
      "100ms",
      "--lease",
      lease,
      ...more,
    ]);
    stations.push(made);
    made.start();
    return made;
  }

  async function leader(lease: string): Promise<Station> {
    const first = await station("first", lease, []);
    await first.serving();
    await register(first.admin, uri);
    return first;
  }

  const send = async (ingress: string, name: string): Promise<string> => {
    const key = { "idempotency-key": name };
    const answer = await post(`${ingress}/Walker/greet/send`, name, key);
    assert.equal(answer.status, 202, answer.text);
    return (JSON.parse(answer.text) as { status: string }).status;
  };

  it("takes over from a writer that was killed: nothing acknowledged is lost, and what ran goes on", async () => {
    const first = await leader("1s");
    const second = await station("second", "1s", ["--standby"]);
    await second.standingBy(({ replica }) => replica.lease?.state === "live");

    await assert.rejects(fetch(second.ingress), "its ingress is closed");
    const refused = await get(`${second.admin}/deployments`);
    assert.equal(refused.status, 503);
    assert.equal((JSON.parse(refused.text) as { reason: string }).reason, "standing-by");

    const key = { "idempotency-key": "walk" };
    assert.equal((await post(`${first.ingress}/Walker/walk/send`, "a", key)).status, 202);
    const acknowledged: string[] = [];
    const load = { isOver: false };
    const senders = Array.from({ length: 4 }, async (_, sender) => {
      for (let count = 0; !load.isOver; count += 1) {
        const name = `${sender}-${count}`;
        const answer = await send(first.ingress, name).catch(() => null);
        if (answer !== null) acknowledged.push(name);
      }
    });
    await pause(1000);
    await first.process.kill();
    load.isOver = true;
    await Promise.all(senders);
    assert.ok(acknowledged.length > 10, `${acknowledged.length} sent`);
    assert.ok(!ran.has(`a ${STEPS - 1}`), "the walk was under way");

    await second.serving();
    const walked = await post(`${second.ingress}/Walker/walk`, "a", key);
    assert.equal(walked.status, 200, walked.text);
    for (const name of acknowledged)
      assert.equal(await send(second.ingress, name), "PreviouslyAccepted", name);
    const twice = [...ran].filter(([, times]) => times > 1);
    // Only the one that was under way, whose result nobody had recorded.
    assert.ok(twice.length <= 1, JSON.stringify(twice));
    assert.equal(ran.size, STEPS);
    for (const event of ["standing-by", "lease-lapsed", "taking-over", "took-over"])
      assert.notEqual(second.said(event), "", event);
    assert.equal((await second.health()).role, undefined);
  });

  it("takes over from one that sleeps, which ends fenced when it wakes, and then stands by itself", async () => {
    const first = await leader("1s");
    assert.equal(await send(first.ingress, "before"), "Accepted");
    const second = await station("second", "1s", ["--standby"]);
    await second.standingBy();
    first.process.pause();
    const asleep = send(first.ingress, "asleep").then(
      () => true,
      () => false,
    );
    await second.serving();
    assert.equal(await send(second.ingress, "before"), "PreviouslyAccepted");
    first.process.continue();
    assert.equal(await asleep, false, "it acknowledges nothing");
    assert.equal(await first.exit(), EXIT_FENCED);
    assert.match(first.said("fenced"), /another server writes this replica now/);

    const again = await station("first", "1s", ["--standby"]);
    await again.standingBy(({ replica }) => replica.lease?.state === "live");
    const [aside] = readdirSync(again.data).filter((name) => name.startsWith("superseded-"));
    const kept = readdirSync(`${again.data}/${aside}`);
    assert.ok(kept.includes("holdfast.db") && kept.includes("replica.json"), kept.join());
    assert.equal(await send(second.ingress, "after"), "Accepted");
    await second.process.kill();
    await again.serving();
    assert.equal(await send(again.ingress, "after"), "PreviouslyAccepted");
  });

  it("takes over at once from one that was stopped, however long the lease", async () => {
    const first = await leader("10m");
    const second = await station("second", "10m", ["--standby"]);
    await second.standingBy();
    assert.equal(await send(first.ingress, "last words"), "Accepted");
    assert.equal(await first.process.stop(), 0);
    const beganMs = performance.now();
    await second.serving();
    assert.ok(performance.now() - beganMs < 10_000);
    assert.match(second.said("lease-lapsed"), /the writer has stopped/);
    assert.equal(await send(second.ingress, "last words"), "PreviouslyAccepted");
  });

  it("lets another one be first, and goes on standing by", async () => {
    const first = await leader("1s");
    const flags = ["--standby"];
    const others = [await station("second", "1s", flags), await station("third", "1s", flags)];
    for (const each of others) await each.standingBy();
    await first.process.kill();
    const winner = await Promise.race(
      others.map(async (each) => {
        await each.serving();
        return each;
      }),
    );
    const [loser] = others.filter((each) => each !== winner);
    assert.ok(loser !== undefined);
    const { epoch } = (await winner.health()).replica;
    await loser.standingBy(
      ({ replica }) => replica.epoch === epoch && replica.lease?.state === "live",
    );
    assert.equal(await send(winner.ingress, "hello"), "Accepted");
    await pause(2500);
    assert.equal((await loser.health()).role, "standby");
    assert.ok(winner.process.alive);
    assert.equal(await loser.process.stop(), 0);
  });

  it("is refused on a state of the past, and where there is no replica", async () => {
    const first = await leader("1s");
    await first.process.stop();
    const file = `${first.data}/replica.json`;
    const facts = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
    writeFileSync(file, JSON.stringify({ ...facts, rolledBack: true }));
    const past = await station("first", "1s", ["--standby"]);
    assert.equal(await past.exit(), EXIT_FENCED);
    assert.match(past.process.errors, /was restored to an earlier moment/);

    for (const flags of [["--standby"], ["--lease", "1s"]]) {
      const alone = await Station.build(`${directory.path}/alone`, flags);
      alone.start();
      assert.equal(await alone.exit(), 2);
      assert.match(alone.process.errors, new RegExp(`${flags[0]} needs --bucket`));
    }
  });

  it("is the first writer where there is none: one of two", async () => {
    const both = [
      await station("first", "5s", ["--standby"]),
      await station("second", "5s", ["--standby"]),
    ];
    const writer = await Promise.race(
      both.map(async (each) => {
        await each.serving();
        return each;
      }),
    );
    const [other] = both.filter((each) => each !== writer);
    await register(writer.admin, uri);
    await other?.standingBy();
    assert.equal(await send(writer.ingress, "first of all"), "Accepted");
    // Its directory is still the newest: it goes on at once.
    await writer.process.kill();
    writer.start();
    await writer.serving();
    assert.equal(await send(writer.ingress, "first of all"), "PreviouslyAccepted");
    assert.equal((await other?.health())?.role, "standby");
  });
});
