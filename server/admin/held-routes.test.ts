import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { at } from "./fake-world.suite.ts";
import { start } from "./fixture.suite.ts";
import type { HeldWork } from "./held-routes.ts";
import { kindsOf, why, worldOf } from "./why.suite.ts";

const REPORT = { restored_to: { segment: 41, at: "2026-11-26T09:00:00.000Z" }, total: 0 };

class FakeHeld implements HeldWork {
  failure: Error | null = null;
  isHeld = true;
  released = 0;

  report() {
    return this.isHeld ? REPORT : null;
  }

  release() {
    if (this.failure !== null) throw this.failure;
    this.isHeld = false;
    this.released += 1;
  }
}

describe("GET /held", () => {
  it("tells that nothing is held", async () => {
    const { status, json } = await (await start()).request("GET", "/held");
    assert.deepEqual([status, json], [200, { held: false }]);
  });

  it("tells the report of what is", async () => {
    const fixture = await start({ held: new FakeHeld() });
    const { status, json } = await fixture.request("GET", "/held");
    assert.deepEqual([status, json], [200, { held: true, ...REPORT }]);
  });

  it("is for those who have the token", async () => {
    const fixture = await start({ held: new FakeHeld(), token: "a-long-token" });
    assert.equal((await fixture.request("GET", "/held")).status, 401);
    assert.equal((await fixture.request("POST", "/held/release")).status, 401);
  });
});

describe("POST /held/release", () => {
  it("lets go once, and is no error to ask twice", async () => {
    const held = new FakeHeld();
    const fixture = await start({ held });
    assert.deepEqual((await fixture.request("POST", "/held/release")).json, { released: true });
    assert.deepEqual((await fixture.request("POST", "/held/release")).json, { released: false });
    assert.equal(held.released, 1);
    assert.deepEqual((await fixture.request("GET", "/held")).json, { held: false });
  });

  it("says that it failed, and that work stays held", async () => {
    const held = new FakeHeld();
    held.failure = new Error("EROFS: read-only file system");
    const fixture = await start({ held });
    const { status, json } = await fixture.request("POST", "/held/release");
    assert.equal(status, 500);
    assert.match(String(at(json, "message")), /stays held: EROFS/);
    assert.equal(at((await fixture.request("GET", "/held")).json, "held"), true);
    assert.deepEqual(fixture.errors, []);
  });

  it("is asked for by POST alone", async () => {
    const fixture = await start({ held: new FakeHeld() });
    assert.equal((await fixture.request("GET", "/held/release")).status, 405);
  });
});

describe("why, of what is held", () => {
  it("names the operator who has to release it, and what is to be done", () => {
    const world = Object.assign(worldOf("Greeter"), { isHeld: true });
    world.add(1, {});
    const answer = why(world, 1);
    assert.deepEqual(kindsOf(answer), ["held"]);
    assert.equal(at(answer, "causes", 0, "mend"), "POST /held/release");
    assert.match(
      String(at(answer, "explanation")),
      /^it has been ready to run since \S+ and waits for an operator to release what was restored$/,
    );
  });

  it("is as ever where it waits for something else", () => {
    const world = Object.assign(worldOf("Greeter"), { isHeld: true });
    world.add(1, { state: { status: "paused", reason: "operator" } });
    assert.deepEqual(kindsOf(why(world, 1)), ["paused"]);
    world.add(2, {});
    world.isHeld = false;
    assert.deepEqual(kindsOf(why(world, 2)), ["room"]);
  });
});
