import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import type { Context } from "../define/context.ts";
import { TerminalError } from "../define/errors.ts";
import type { ObjectContext } from "../define/keyed-context.ts";
import { object, service } from "../define/service.ts";
import type { JournalFixture } from "../protocol/journal-fixture.ts";
import { replay } from "./replay.ts";
import { ReplayError } from "./replay-error.ts";
import { TestEnvironment } from "./test-environment.ts";

type Place = (ctx: Context, id: string) => Promise<string>;

const checkout = (place: Place) =>
  service({
    name: "Checkout",
    handlers: {
      place,
      note: async (_ctx: Context, item: string) => item,
    },
  });

let charged = 0;

const original: Place = async (ctx, id) => {
  const reserved = await ctx.run("reserve", () => `reserved ${id}`);
  await ctx.sleep({ days: 1 }, "cool down");
  await ctx.run("charge", () => void (charged += 1));
  await ctx.awakeable<string>().promise;
  return reserved;
};

/** The journal while it waits for the awakeable, or while it sleeps. */
async function record(place: Place, until: "start" | "awakeable" = "awakeable") {
  await using env = await TestEnvironment.start({ services: [checkout(place)] });
  const sent = await env.sendClient(checkout(place)).place("o-1");
  await env.settled();
  if (until === "awakeable") await env.clock.advance({ days: 1 });
  return env.exportJournal(sent);
}

async function complete(place: Place): Promise<JournalFixture> {
  await using env = await TestEnvironment.start({ services: [checkout(place)] });
  const sent = await env.sendClient(checkout(place)).place("o-1");
  await env.ingress.result(sent).catch(() => {});
  return env.exportJournal(sent);
}

const differs = async (place: Place, fixture: JournalFixture): Promise<ReplayError> => {
  const error: unknown = await replay(checkout(place), fixture).then(
    () => undefined,
    (rejected: unknown) => rejected,
  );
  assert.ok(error instanceof ReplayError, String(error));
  return error;
};

describe("a replay", () => {
  it("agrees with the code that wrote the journal, and executes no step", async () => {
    const early = await record(original, "start");
    const late = await record(original);
    charged = 0;
    assert.deepEqual(await replay(checkout(original), early), { entries: 4, isComplete: false });
    assert.deepEqual(await replay(checkout(original), late), { entries: 7, isComplete: false });
    assert.equal(charged, 0);
  });

  it("does not execute a step that the journal has no result of", async () => {
    const fixture = await record(original);
    const entries = fixture.entries.slice(0, 6);
    assert.equal(entries.at(-1)?.message, "RunCommand");
    charged = 0;
    const report = await replay(checkout(original), { ...fixture, entries });
    assert.deepEqual([report, charged], [{ entries: 6, isComplete: false }, 0]);
  });

  it("agrees with a complete journal, and with one that ended in a failure", async () => {
    const place: Place = async (ctx, id) => await ctx.run("reserve", () => `reserved ${id}`);
    const report = await replay(checkout(place), await complete(place));
    assert.deepEqual(report, { entries: 4, isComplete: true });
    const refuse: Place = async () => {
      throw new TerminalError("out of stock", { errorCode: 409 });
    };
    const refused = await replay(checkout(refuse), await complete(refuse));
    assert.deepEqual(refused, { entries: 2, isComplete: true });
  });

  it("allows code that goes on differently behind the end of the journal", async () => {
    const fixture = await record(original);
    const changed: Place = async (ctx, id) => {
      await ctx.run("reserve", () => `reserved ${id}`);
      await ctx.sleep({ days: 2 }, "cool down");
      await ctx.run("charge", () => {});
      return await ctx.run("something new", () => id);
    };
    assert.equal((await replay(checkout(changed), fixture)).isComplete, false);
  });

  it("names the step that was renamed", async () => {
    const fixture = await record(original);
    const { difference, message } = await differs(async (ctx, id) => {
      await ctx.run("reserve", () => `reserved ${id}`);
      await ctx.sleep({ days: 1 }, "cool down");
      await ctx.run("pay", () => {});
      return id;
    }, fixture);
    assert.deepEqual(difference, {
      index: 5,
      commandIndex: 3,
      expected: 'Run "charge"',
      found: 'Run "pay"',
    });
    assert.match(
      message,
      /Checkout\/place over the journal of inv_1\w+: journal mismatch at entry 5/,
    );
    assert.match(message, /Run "charge".*Run "pay".*new deployment/);
  });

  it("names the operation that is gone, and one that is new", async () => {
    const fixture = await record(original);
    const gone = await differs(async (ctx, id) => {
      await ctx.run("reserve", () => `reserved ${id}`);
      await ctx.run("charge", () => {});
      return id;
    }, fixture);
    assert.deepEqual(gone.difference, {
      index: 3,
      commandIndex: 2,
      expected: 'Sleep "cool down"',
      found: 'Run "charge"',
    });
    const added = await differs(async (ctx, id) => {
      await ctx.run("check", () => {});
      return await original(ctx, id);
    }, fixture);
    assert.deepEqual(
      [added.difference?.index, added.difference?.expected, added.difference?.found],
      [1, 'Run "reserve"', 'Run "check"'],
    );
  });

  it("names what the journal holds where the code ends, or waits", async () => {
    const fixture = await record(original);
    const ends = await differs(async (ctx, id) => {
      return await ctx.run("reserve", () => `reserved ${id}`);
    }, fixture);
    assert.deepEqual([ends.difference?.index, ends.difference?.found], [3, "Output"]);
    const waits = await differs(async (ctx, id) => {
      await ctx.run("reserve", () => `reserved ${id}`);
      await ctx.awakeable().promise;
      return id;
    }, fixture);
    assert.deepEqual([waits.difference?.index, waits.difference?.found], [3, undefined]);
  });

  it("compares what is called and with what, and the result unless it is told not to", async () => {
    const call = (item: string, suffix: string) => async (ctx: Context, id: string) => {
      ctx.genericSend({ service: "Checkout", method: "note", parameter: Buffer.from(item) });
      return `${id}${suffix}`;
    };
    const fixture = await complete(call('"book"', ""));
    assert.match((await differs(call('"pen!"', ""), fixture)).message, /parameter \(6 bytes/);
    assert.match((await differs(call('"book"', "!"), fixture)).message, /Output.*result \(5 bytes/);
    const options = { compareOutput: false };
    const report = await replay(checkout(call('"book"', "!")), fixture, options);
    assert.deepEqual(report, { entries: 3, isComplete: true });
  });

  it("reads state as it was recorded", async () => {
    const counter = (name: string) =>
      object({
        name: "Counter",
        handlers: {
          add: async (ctx: ObjectContext, by: number) => {
            const count = ((await ctx.get<number>(name)) ?? 0) + by;
            ctx.set(name, count);
            return count;
          },
        },
      });
    for (const alwaysReplay of [false, true]) {
      const services = [counter("count")];
      await using env = await TestEnvironment.start({ services, alwaysReplay });
      await env.client(counter("count"), "k").add(2);
      const sent = await env.sendClient(counter("count"), "k").add(3);
      assert.equal(await env.ingress.result(sent), 5);
      const fixture = env.exportJournal(sent);
      assert.equal((await replay(counter("count"), fixture)).isComplete, true);
      await assert.rejects(replay(counter("total"), fixture), /GetState "count".*GetState "total"/);
    }
  });

  it("finds a handler that does something else in every attempt", async () => {
    let calls = 0;
    const random: Place = async (ctx, id) => {
      calls += 1;
      return await ctx.run(`step ${calls}`, () => id);
    };
    const { difference } = await differs(random, await complete(random));
    assert.deepEqual([difference?.expected, difference?.found], ['Run "step 1"', 'Run "step 2"']);
  });

  it("tells of a handler that fails or waits for something outside its context", async () => {
    const fixture = await record(original);
    const broken = await differs(async () => {
      throw new Error("no such table");
    }, fixture);
    assert.match(broken.message, /fails: no such table/);
    const outside = checkout(() => new Promise(() => {}));
    await assert.rejects(replay(outside, fixture, { timeoutMs: 20 }), /within 20 ms.*ctx\.run/);
  });

  it("reads the journal from a file", async (t) => {
    const folder = mkdtempSync(path.join(os.tmpdir(), "holdfast-replay-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const file = path.join(folder, "place.json");
    writeFileSync(file, JSON.stringify(await record(original)));
    assert.equal((await replay(checkout(original), file)).entries, 7);
    assert.equal((await replay(checkout(original), pathToFileURL(file))).entries, 7);
    writeFileSync(file, "{}");
    await assert.rejects(replay(checkout(original), file), /place\.json is no exported journal/);
  });

  it("refuses what it cannot read", async () => {
    const fixture = await record(original);
    const newer = { ...fixture, format: 2 };
    await assert.rejects(replay(checkout(original), newer), /its format is 2/);
    const other = { ...fixture, service: "Other" };
    await assert.rejects(replay(checkout(original), other), /"Checkout" has no such handler/);
    const old = { ...fixture, protocolVersion: 4 };
    await assert.rejects(replay(checkout(original), old), /version 4 of the service protocol/);
    await assert.rejects(replay(checkout(original), { ...fixture, entries: [] }), /no entries/);
  });
});
