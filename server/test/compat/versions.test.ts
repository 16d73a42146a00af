/** Deployments of one service side by side: who runs where, and what happens when code or deployments change under invocations. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type * as Restate from "@restatedev/restate-sdk";
import { loadSdk, type Sdk, serve, type Transport } from "../endpoint.ts";
import { at, eventually, Lab, OURS } from "./lab.suite.ts";
import { serviceOf, World } from "./program.suite.ts";

/** A service that no test changes. */
const HELPER = "VersionHelper";

let lab: Lab;
let sdk: Sdk;
before(async () => {
  lab = await Lab.start();
  sdk = await loadSdk("restate");
  await deploy(HELPER);
});
after(async () => await lab.close());

const QUICK = { retryPolicy: { initialInterval: 10, maxInterval: 50, maxAttempts: 3 } };

interface Version {
  readonly world: World;
  readonly id: string;
}

/** One more deployment of a service, with a world of its own. */
async function deploy(
  name: string,
  options: Restate.ServiceOptions = {},
  transport: Transport = "h2",
): Promise<Version> {
  const world = new World();
  const endpoint = await serve(sdk, [serviceOf(sdk, world, name, options)], transport);
  return { world, id: await lab.register(endpoint) };
}

async function pinOf(id: string): Promise<unknown> {
  const rows = await lab.sql(
    `SELECT pinned_deployment_id FROM sys_invocation_status WHERE id = '${id}'`,
  );
  return at(rows, 0, "pinned_deployment_id");
}

describe("versions", { concurrency: true }, () => {
  it("what runs stays on its deployment, what is new goes to the newest", async () => {
    const one = await deploy("Pinned");
    const id = await lab.send(
      "/Pinned/run",
      ["step", "before"],
      ["signal", "go"],
      ["step", "after"],
    );
    await eventually(async () => assert.equal(await pinOf(id), one.id));
    const two = await deploy("Pinned");
    assert.deepEqual(await lab.run("/Pinned/run", ["step", "new"]), [null]);
    await lab.run("/Pinned/run", ["sendSignal", id, "go", 1]);
    assert.deepEqual((await lab.attach(id)).json, [null, 1, null]);
    assert.deepEqual(one.world.steps, ["before", "after"]);
    assert.deepEqual(two.world.steps, ["new"]);
  });

  it("what is not pinned yet goes to the newest at its next attempt", async () => {
    const one = await deploy("Unpinned", { retryPolicy: { initialInterval: 60_000 } });
    const id = await lab.send("/Unpinned/run", ["crash", "c", 1], ["id"]);
    await lab.until(id, "backing-off");
    const two = await deploy("Unpinned");
    two.world.crash("c");
    assert.equal(await lab.patch(id, "resume"), 200);
    assert.equal((await lab.attach(id)).status, 200);
    assert.equal(await pinOf(id), two.id);
    assert.equal(one.world.crashed("c"), 1);
  });

  it("registering what is known again changes nothing; forced, it is asked anew", async () => {
    const world = new World();
    const endpoint = await serve(sdk, [serviceOf(sdk, world, "Again")], "h2");
    const id = await lab.register(endpoint);
    const again = await lab.tell("POST", "/deployments", { uri: endpoint.url });
    assert.deepEqual([again.status, at(again.json, "id")], [200, id]);
    assert.equal(at((await lab.tell("GET", "/services/Again")).json, "revision"), 1);
    const forced = await lab.tell("POST", "/deployments", { uri: endpoint.url, force: true });
    assert.deepEqual([forced.status, at(forced.json, "id")], [200, id]);
    assert.equal(at((await lab.tell("GET", "/services/Again")).json, "revision"), 2);
    const dry = await lab.tell("POST", "/deployments", {
      uri: `${endpoint.url}/prefix`,
      dry_run: true,
    });
    assert.equal(dry.status, 201);
    assert.equal(at((await lab.tell("GET", "/services/Again")).json, "revision"), 2);
  });

  it("a service may not change its type unless that is asked for", async () => {
    await deploy("Type");
    const object = sdk.object({
      name: "Type",
      handlers: { run: async () => await Promise.resolve(1) },
    });
    const endpoint = await serve(sdk, [object], "h2");
    const refused = await lab.tell("POST", "/deployments", { uri: endpoint.url });
    assert.deepEqual([refused.status, at(refused.json, "restate_code")], [409, "META0006"]);
    await lab.register(endpoint, { breaking: true });
    assert.equal(at((await lab.tell("GET", "/services/Type")).json, "ty"), "VirtualObject");
  });

  it("a deleted deployment gives way to the one before it", async () => {
    const one = await deploy("Deleted");
    const two = await deploy("Deleted");
    await lab.run("/Deleted/run", ["step", "a"]);
    assert.equal((await lab.tell("DELETE", `/deployments/${two.id}?force=true`)).status, 202);
    assert.equal((await lab.tell("GET", `/deployments/${two.id}`)).status, 404);
    await lab.run("/Deleted/run", ["step", "b"]);
    assert.deepEqual([one.world.steps, two.world.steps], [["b"], ["a"]]);
    assert.equal((await lab.tell("DELETE", `/deployments/${one.id}?force=true`)).status, 202);
    assert.equal((await lab.ask("/Deleted/run", { body: [] })).status, 404);
  });

  it("a deployment is deleted without force only when nothing needs it", OURS, async () => {
    const one = await deploy("Needed");
    const id = await lab.send("/Needed/run", ["step", "a"], ["signal", "go"]);
    await eventually(async () => assert.equal(await pinOf(id), one.id));
    const remove = async () => (await lab.tell("DELETE", `/deployments/${one.id}`)).status;
    const status = async () => at((await lab.tell("GET", `/deployments/${one.id}`)).json, "status");
    assert.equal(await status(), "active");
    assert.equal(await remove(), 409);
    await deploy("Needed");
    assert.equal(await status(), "draining");
    assert.equal(await remove(), 409);
    await lab.run("/Needed/run", ["sendSignal", id, "go", 1]);
    await lab.attach(id);
    await eventually(async () => assert.equal(await status(), "drained"));
    assert.equal(await remove(), 202);
  });

  it("a drained deployment takes no new invocations until it is taken back", OURS, async () => {
    const one = await deploy("Drained");
    const two = await deploy("Drained");
    const drain = async (verb: string) =>
      (await lab.tell("POST", `/deployments/${two.id}/${verb}`)).status;
    assert((await drain("drain")) < 300);
    await lab.run("/Drained/run", ["step", "a"]);
    assert((await drain("undrain")) < 300);
    await lab.run("/Drained/run", ["step", "b"]);
    assert.deepEqual([one.world.steps, two.world.steps], [["a"], ["b"]]);
  });

  it("what lost its deployment says so, and goes on elsewhere when told to", async () => {
    const one = await deploy("Zombie", QUICK, "h2-rr");
    const id = await lab.send("/Zombie/run", ["step", "a", 1], ["signal", "go"], ["step", "b", 2]);
    await eventually(async () => assert.equal(await pinOf(id), one.id));
    const two = await deploy("Zombie", QUICK, "h2-rr");
    assert.equal((await lab.tell("DELETE", `/deployments/${one.id}?force=true`)).status, 202);
    await lab.run("/Zombie/run", ["sendSignal", id, "go", "went"]);
    await lab.until(id, "paused");
    if (!OURS.skip) {
      assert.equal(at(await lab.invocation(id), "last_failure", "error_code"), "RT0011");
    }
    assert.equal(await lab.patch(id, "resume?deployment=latest"), 200);
    assert.deepEqual((await lab.attach(id)).json, [1, "went", 2]);
    assert.deepEqual([one.world.steps, two.world.steps], [["a"], ["b"]]);
  });

  it("a paused invocation goes on where it is told to: kept, latest, or one by its id", async () => {
    const one = await deploy("Moved", QUICK);
    const stuck = [
      ["step", "a", 1],
      ["crash", "c", 6],
      ["step", "b", 2],
    ] as const;
    const ids = await Promise.all([1, 2].map(() => lab.send("/Moved/run", ...stuck)));
    for (const id of ids) await lab.until(id, "paused");
    const two = await deploy("Moved", QUICK);
    const three = await deploy("Moved", QUICK);
    for (const { world } of [two, three]) for (let each = 0; each < 6; each += 1) world.crash("c");
    const [first = "", second = ""] = ids;
    assert.equal(await lab.patch(first, "resume?deployment=nonsense"), 400);
    assert.equal(await lab.patch(first, `resume?deployment=${two.id}`), 200);
    assert.deepEqual((await lab.attach(first)).json, [1, null, 2]);
    assert.equal(await pinOf(first), two.id);
    assert.equal(await lab.patch(second, "resume?deployment=latest"), 200);
    assert.deepEqual((await lab.attach(second)).json, [1, null, 2]);
    assert.equal(await pinOf(second), three.id);
    assert.deepEqual(one.world.steps, ["a", "a"]);
    assert.deepEqual([two.world.steps, three.world.steps], [["b"], ["b"]]);
  });

  it("an endpoint that moved is found at its new address, also by what is pinned to it", async () => {
    const world = new World();
    const services = [serviceOf(sdk, world, "Moving", QUICK)];
    const old = await serve(sdk, services, "h2-rr");
    const deployment = await lab.register(old);
    const id = await lab.send("/Moving/run", ["step", "a"], ["signal", "go"], ["step", "b"]);
    await lab.until(id, "suspended");
    await old.close();
    const moved = await serve(sdk, services, "h2-rr");
    const patched = await lab.tell("PATCH", `/deployments/${deployment}`, { uri: moved.url });
    assert.equal(patched.status, 200, patched.text);
    await lab.run(`/${HELPER}/run`, ["sendSignal", id, "go", 1]);
    assert.deepEqual((await lab.attach(id)).json, [null, 1, null]);
    assert.deepEqual(world.steps, ["a", "b"]);
  });

  it("an address that offers less than the deployment is refused", OURS, async () => {
    const { id } = await deploy("Moved2");
    const other = await serve(sdk, [serviceOf(sdk, new World(), "Other")], "h2");
    const refused = await lab.tell("PATCH", `/deployments/${id}`, { uri: other.url });
    assert.deepEqual([refused.status, at(refused.json, "restate_code")], [409, "META0016"]);
  });

  it("the headers that are registered come with every request", async () => {
    const endpoint = await serve(sdk, [serviceOf(sdk, new World(), "Headers")], "h2");
    const more = { additional_headers: { "X-Token": "secret" }, metadata: { team: "a" } };
    const id = await lab.register(endpoint, more);
    assert.deepEqual(await lab.run("/Headers/run", ["attemptHeader", "x-token"]), ["secret"]);
    const view = (await lab.tell("GET", `/deployments/${id}`)).json;
    assert.deepEqual(at(view, "additional_headers"), { "x-token": "secret" });
    assert.deepEqual(at(view, "metadata"), { team: "a" });
  });

  it("a finished invocation runs once more on the deployment that is named", async () => {
    const one = await deploy("Once");
    const id = await lab.send("/Once/run", ["step", "a"]);
    await lab.attach(id);
    const two = await deploy("Once");
    const restart = async (deployment: string): Promise<void> => {
      const answer = await lab.tell(
        "PATCH",
        `/invocations/${id}/restart-as-new?deployment=${deployment}`,
      );
      assert.equal(answer.status, 200, answer.text);
      await lab.attach(String(at(answer.json, "new_invocation_id")));
    };
    await restart("latest");
    assert.deepEqual([one.world.times("a"), two.world.times("a")], [1, 1]);
    await restart(one.id);
    assert.deepEqual([one.world.times("a"), two.world.times("a")], [2, 1]);
  });
});

/** A handler whose second step has this name: what a new version of the code may change. */
function twoSteps(name: string, second: string, executed: string[]): unknown {
  const options = { retryPolicy: { initialInterval: 10, maxInterval: 20, maxAttempts: 2 } };
  return sdk.service({
    name,
    options,
    handlers: {
      run: async (ctx: Restate.Context) => {
        const step = async (text: string) => {
          await ctx.run(text, () => void executed.push(text));
        };
        await step("charge card");
        await step(second);
        const answer = await ctx.signal<string>("go");
        await step("send receipt");
        return answer;
      },
    },
  });
}

for (const transport of ["h2", "h2-rr", "h1"] as const) {
  it(`code that changed under an invocation is told from what was recorded, and nothing is lost (${transport})`, async () => {
    const name = `Changed_${transport.replace("-", "_")}`;
    const executed: string[] = [];
    const old = await serve(sdk, [twoSteps(name, "reserve stock", executed)], transport);
    const deployment = await lab.register(old);
    const id = await lab.send(`/${name}/run`);
    await eventually(() => assert.deepEqual(executed, ["charge card", "reserve stock"]));
    await lab.untilBegun(id);
    await eventually(async () => {
      const rows = await lab.sql(`SELECT index FROM sys_journal WHERE id = '${id}'`);
      assert.equal(rows.length, 5);
    });
    await old.close();
    const other: string[] = [];
    const changed = await serve(sdk, [twoSteps(name, "check fraud", other)], transport, {
      port: old.port,
    });
    await untilMismatch(id);
    assert.deepEqual(other, []);
    await checkMismatch(id);
    await changed.close();
    const back = await serve(sdk, [twoSteps(name, "reserve stock", executed)], transport, {
      port: old.port,
    });
    await lab.register(back, { force: true });
    assert.equal(await pinOf(id), deployment);
    assert.equal(await lab.patch(id, "resume"), 200);
    await lab.run(`/${HELPER}/run`, ["sendSignal", id, "go", "went"]);
    assert.equal((await lab.attach(id)).json, "went");
    assert.deepEqual(executed, ["charge card", "reserve stock", "send receipt"]);
  });
}

/** Resumes what is suspended, or was paused while nobody was there, until the new code has met the old journal. */
async function untilMismatch(id: string): Promise<void> {
  await eventually(async () => {
    const events = await lab.sql(
      `SELECT event_json FROM sys_journal_events WHERE id = '${id}' AND event_type = 'TransientError'`,
    );
    const texts = events.map((event) => String(at(event, "event_json")));
    if (texts.some((text) => text.includes("570"))) return;
    await lab.patch(id, "resume");
    throw new Error(texts.join("\n"));
  });
  await lab.until(id, "paused");
}

/** Both sides are named: what the journal has and what the code did. */
async function checkMismatch(id: string): Promise<void> {
  if (OURS.skip) return;
  const rows = await lab.sql(
    `SELECT last_failure, last_failure_error_code FROM sys_invocation WHERE id = '${id}'`,
  );
  assert.equal(at(rows, 0, "last_failure_error_code"), "RT0016");
  const text = String(at(rows, 0, "last_failure"));
  const view = await lab.invocation(id);
  const failure = at(view, "last_failure");
  assert.equal(at(failure, "code"), 570);
  assert.equal(at(failure, "error_code"), "RT0016");
  assert.deepEqual(at(failure, "mismatch"), {
    entry_index: 3,
    command_index: 2,
    recorded: { type: "RunCommand", name: "reserve stock" },
    attempted: { type: "RunCommand", name: "check fraud" },
  });
  for (const side of ["reserve stock", "check fraud"]) assert(text.includes(side), text);
  const why = await lab.why(id);
  assert.equal(at(why, "status"), "paused");
  for (const side of ["reserve stock", "check fraud"]) {
    assert(JSON.stringify(why).includes(side), JSON.stringify(why));
  }
}
