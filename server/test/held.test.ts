/** A restored state of the past on the real process: nothing goes out before an operator says so, and then all of it does. */
import assert from "node:assert/strict";
import fs from "node:fs";
import { after, before, describe, it } from "node:test";
import { command } from "./cli.ts";
import { type Endpoint, loadSdk, type Sdk, serve } from "./endpoint.ts";
import {
  freePort,
  get,
  persist,
  post,
  refusedStart,
  register,
  startServer,
  temporaryDirectory,
} from "./harness.ts";
import type { RunningServer } from "./harness.ts";
import { TestProcess } from "./process.ts";
import type * as Restate from "@restatedev/restate-sdk";

const EXIT_OTHERS = 3;
const DELAY_MS = 4000;

/** What happened outside of the server, in order: handlers that were called, and steps that ran. */
class Street {
  readonly calls: string[] = [];
  readonly steps: string[] = [];
  readonly awakeables = new Map<string, string>();

  services(sdk: Sdk): unknown[] {
    const order = async (ctx: Restate.Context, id: string): Promise<string> => {
      this.calls.push(id);
      await ctx.run("charge", () => void this.steps.push(`charge ${id}`));
      const paid = ctx.awakeable<string>();
      await ctx.run("ask", () => void this.awakeables.set(id, paid.id));
      const by = await paid.promise;
      await ctx.run("ship", () => void this.steps.push(`ship ${id}`));
      return `${id} by ${by}`;
    };
    const note = async (ctx: Restate.Context, text: string): Promise<string> => {
      this.calls.push(text);
      return await ctx.run("note", () => {
        this.steps.push(text);
        return text;
      });
    };
    return [sdk.service({ name: "Street", handlers: { order, note } })];
  }
}

interface Held {
  readonly held: boolean;
  readonly restored_to?: { readonly segment: number };
  readonly latest?: { readonly segment: number };
  readonly total?: number;
  readonly unknown_count?: number;
  readonly invocations?: readonly Readonly<Record<string, unknown>>[];
}

interface Following {
  readonly state: string;
  readonly lease?: { readonly state: string };
}

interface Health {
  readonly status: string;
  readonly held?: boolean;
  readonly replica?: { readonly accepted_segment: number; readonly unshipped_bytes: number };
}

const json = async <T>(url: string): Promise<T> => JSON.parse((await get(url)).text) as T;

describe("a server on a restored state of the past", () => {
  const directory = temporaryDirectory();
  const bucket = `file://${directory.path}/bucket`;
  const past = `${directory.path}/past`;
  const street = new Street();
  let endpoint: Endpoint;
  let server: RunningServer;
  /** When the first order was charged, and all else of that time was asked for. */
  let segment = 0;
  let orderId = "";

  const send = async (path: string, body: unknown): Promise<string> => {
    const answer = await post(`${server.ingress}/Street/${path}`, body);
    assert.equal(answer.status, 202, answer.text);
    return (JSON.parse(answer.text) as { invocationId: string }).invocationId;
  };
  const resolve = async (id: string, by: string): Promise<void> => {
    const awakeable = street.awakeables.get(id) ?? assert.fail(id);
    const url = `${server.ingress}/restate/awakeables/${awakeable}/resolve`;
    assert((await post(url, by)).status < 300);
  };
  const happened = async (step: string): Promise<void> => {
    await persist(() => Promise.resolve(street.steps.includes(step) || undefined), 20_000);
  };
  const shipped = async (): Promise<number> =>
    await persist(async () => {
      const { replica } = await json<Health>(`${server.admin}/health`);
      return replica?.unshipped_bytes === 0 ? replica.accepted_segment : undefined;
    }, 20_000);

  const standbys: TestProcess[] = [];
  const servers: RunningServer[] = [];
  const begin = async (data: string, flags: readonly string[] = []): Promise<RunningServer> => {
    const begun = await startServer(data, flags);
    servers.push(begun);
    return begun;
  };
  /** Resolves when it follows, with what asks it for the state of the writer's lease. */
  const standby = async (data: string, flags: readonly string[]) => {
    const [ingress, admin] = [await freePort(), await freePort()].map(
      (port) => `127.0.0.1:${port}`,
    );
    const addresses = ["--ingress", ingress ?? "", "--admin", admin ?? "", "--data", data];
    const more = ["--standby", "--lease", "1s"];
    const process = new TestProcess({
      args: ["dist/holdfast.mjs", "serve", ...addresses, ...flags, ...more],
    });
    standbys.push(process);
    process.start().catch(() => {});
    const replica = async () =>
      (await json<{ replica?: Following }>(`http://${admin ?? ""}/health`)).replica;
    await persist(async () => (await replica())?.state === "following" || undefined, 20_000);
    return async () => (await replica())?.lease?.state;
  };

  before(async () => {
    const sdk = await loadSdk("holdfast");
    endpoint = await serve(sdk, street.services(sdk), "h2");
    const flags = ["--bucket", bucket, "--segment-interval", "50ms"];
    server = await begin(`${directory.path}/first`, flags);
    await register(server.admin, endpoint.url);

    orderId = await send("order/send", "first");
    await happened("charge first");
    await persist(() => Promise.resolve(street.awakeables.get("first")));
    await send(`note/send?delay=${DELAY_MS}ms`, "later");
    segment = await shipped();
    assert(!street.steps.includes("later"), "the state is one before that");

    // What went on after that state.
    await resolve("first", "ann");
    await happened("ship first");
    await send("note/send", "unknown");
    await happened("unknown");
    await happened("later");
    await shipped();
    await server.process.stop();
  });

  after(async () => {
    const all = [...standbys, ...servers.map(({ process }) => process)];
    await Promise.all(all.map((each) => each.kill()));
    await endpoint.close();
    directory.remove();
  });

  it("is told what ran since when it is made", async () => {
    const { code, out, errors } = await command([
      "restore",
      "--bucket",
      bucket,
      "--data",
      past,
      "--segment",
      `${segment}`,
    ]);
    assert.equal(code, 0, errors);
    assert.match(out, new RegExp(`${past} is the state after segment ${segment} of 20`));
    assert.match(out, /Work is held: .* until `holdfast release` says so\./);
    assert.match(out, /2 open invocations went on between segment \d+ .*; steps will run again:/);
    assert.match(
      out,
      new RegExp(`  ${orderId}  Street/order  \\w+ -> completed, entries \\d+ -> \\d+`),
    );
    assert.match(out, /1 invocation of that time is not known here\./);
  });

  it("calls no handler, whatever is due and whatever comes, and says so", async () => {
    const [calls, steps] = [street.calls.length, street.steps.length];
    server = await begin(past);
    assert.match(server.process.errors, /"event":"held".*holdfast release/);

    // Callers are taken in, and wait; an awakeable is resolved; what is due is due.
    const unanswered = assert.rejects(post(`${server.ingress}/Street/note`, "called"));
    const sent = await send("note/send", "sent");
    const killed = await send("note/send", "killed");
    await resolve("first", "bob");
    await new Promise((done) => setTimeout(done, 500));
    assert.deepEqual([street.calls.length, street.steps.length], [calls, steps]);

    assert.deepEqual(await json(`${server.admin}/health`), { status: "degraded", held: true });
    const report = await json<Held>(`${server.admin}/held`);
    assert.deepEqual([report.held, report.total, report.unknown_count], [true, 2, 1]);
    assert.equal(report.restored_to?.segment, segment);
    assert((report.latest?.segment ?? 0) > segment);
    const [first] = report.invocations ?? [];
    assert.deepEqual([first?.["id"], first?.["status_latest"]], [orderId, "completed"]);
    assert.deepEqual(report, {
      held: true,
      ...JSON.parse(fs.readFileSync(`${past}/held.json`, "utf8")),
    });

    const why = await get(`${server.admin}/invocations/${sent}/why`);
    assert.match(why.text, /waits for an operator to release what was restored/);

    // Whatever should not run again can be ended before.
    const end = await fetch(`${server.admin}/invocations/${killed}/kill`, { method: "PATCH" });
    assert(end.status < 300, await end.text());

    await server.process.kill();
    await unanswered;
  });

  it("stays held when it is started again, also by an operator who only looks", async () => {
    const calls = street.calls.length;
    await server.process.kill();
    await server.process.start();
    const { code, out } = await command(["release", "--show", "--admin", server.admin]);
    assert.equal(code, 0);
    assert.match(out, /2 open invocations went on/);
    assert.doesNotMatch(out, /released/);
    await new Promise((done) => setTimeout(done, 300));
    assert.equal(street.calls.length, calls);
    assert.equal((await json<Health>(`${server.admin}/health`)).held, true);
  });

  it("goes on when it is released: what was recorded is not done again, what was not is", async () => {
    const since = street.steps.length;
    const { code, out } = await command(["release"], { HOLDFAST_ADMIN: server.admin });
    assert.equal(code, 0);
    assert.match(out, /2 open invocations went on[^]*\nreleased: attempts begin now\n$/);
    const expected = ["called", "later", "sent", "ship first"];
    await persist(() => Promise.resolve(street.steps.length >= since + 4 || undefined), 20_000);
    await new Promise((done) => setTimeout(done, 200));
    assert.deepEqual(street.steps.slice(since).toSorted(), expected);
    assert.equal(street.steps.filter((step) => step === "charge first").length, 1);
    const output = await get(`${server.ingress}/restate/invocation/${orderId}/attach`);
    assert.equal(JSON.parse(output.text), "first by bob");
    assert.deepEqual(await json(`${server.admin}/health`), { status: "ok" });
    assert.deepEqual(await json(`${server.admin}/held`), { held: false });
  });

  it("stays released, and being released again is no error", async () => {
    assert.match((await command(["release", "--admin", server.admin])).out, /^nothing is held at /);
    await server.process.stop();
    await server.process.start();
    assert.deepEqual(await json(`${server.admin}/health`), { status: "ok" });
    assert.equal((await post(`${server.ingress}/Street/note`, "again")).status, 200);
    await server.process.stop();
  });

  it("becomes the newest state of the replica when it is told to, and is held as well", async () => {
    const again = `${directory.path}/again`;
    const flags = ["--bucket", bucket, "--durability", "bucket"];
    const made = await command([
      "restore",
      "--bucket",
      bucket,
      "--data",
      again,
      "--segment",
      `${segment}`,
    ]);
    assert.equal(made.code, 0, made.errors);
    assert.match(
      await refusedStart(again, flags),
      new RegExp(`exited with ${EXIT_OTHERS}[^]*was restored to an earlier moment[^]*--roll-back`),
    );
    const steps = street.steps.length;
    server = await begin(again, [...flags, "--roll-back", "--lease", "1s"]);
    const health = await json<Health>(`${server.admin}/health`);
    assert.deepEqual([health.status, health.held], ["degraded", true]);
    await send("note/send", "of the new history");
    await new Promise((done) => setTimeout(done, 300));
    assert.equal(street.steps.length, steps);

    // A standby would not hold it, so it does not take over before.
    const leaseOf = await standby(`${directory.path}/standby`, flags);
    await new Promise((done) => setTimeout(done, 1500));
    assert.equal(await leaseOf(), "none");
    assert.equal((await command(["release", "--admin", server.admin])).code, 0);
    await happened("of the new history");
    await persist(async () => (await leaseOf()) === "live" || undefined, 20_000);
    await Promise.all(standbys.splice(0).map((each) => each.kill()));
    await server.process.kill();

    // Whoever restores the latest state now has that one, and nothing holds it.
    server = await begin(`${directory.path}/next`, flags);
    assert.equal((await json<Health>(`${server.admin}/health`)).held, undefined);
    assert.equal((await get(`${server.ingress}/restate/invocation/${orderId}/output`)).status, 470);
  });
});

describe("holdfast release", () => {
  it("says what is wrong where the server cannot be reached or refuses", async () => {
    const nobody = await command(["release", "--admin", "127.0.0.1:1"]);
    assert.equal(nobody.code, 1);
    assert.match(
      nobody.errors,
      /^holdfast: http:\/\/127.0.0.1:1 cannot be reached \(.+\): is --admin right\?\n$/,
    );
    const bad = await command(["release", "--admin", "not a url"]);
    assert.equal(bad.code, 2);
    assert.match(bad.errors, /--admin/);
  });

  it("gives the token that the server asks for", async () => {
    const directory = temporaryDirectory();
    const server = await startServer(`${directory.path}/data`, ["--admin-token", "a-long-token"]);
    try {
      const args = ["release", "--admin", server.admin];
      const without = await command(args);
      assert.equal(without.code, 1);
      assert.match(without.errors, /answered 401: .*; give --admin-token \(HOLDFAST_ADMIN_TOKEN\)/);
      const { code, out } = await command(args, { HOLDFAST_ADMIN_TOKEN: "a-long-token" });
      assert.equal(code, 0);
      assert.match(out, /^nothing is held at /);
    } finally {
      await server.process.stop();
      directory.remove();
    }
  });
});
