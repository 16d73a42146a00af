/** Attempts of a state of the past: none begins before an operator says so, and then all of them do. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { forward, inWorld, start, turn } from "./attempts.suite.ts";
import { INPUT, RUN } from "./fixtures.suite.ts";

const HELD = { isHeld: true };

describe("held attempts", () => {
  it("do not begin, whatever the machine asks for", async () => {
    await inWorld(HELD, async ({ door, transport, attempts }) => {
      door.add(7, {}, [INPUT, RUN]);
      assert.equal(attempts.isHeld, true);
      attempts.recover();
      attempts.start(start(7, { knownEntries: 2 }));
      attempts.forward(forward(7, 2));
      attempts.readyPage({ type: "ready-page", lastSeq: null });
      await turn();
      assert.deepEqual(
        [transport.exchanges.length, attempts.inFlight, attempts.waiting],
        [0, 0, 0],
      );
      assert.deepEqual(door.inputs, [], "nobody is asked what is ready");
    });
  });

  it("of an invocation that is to be suspended give up their turn, so that it can be cancelled or paused", async () => {
    await inWorld(HELD, ({ door, attempts }) => {
      door.add(7, {}, [INPUT]);
      attempts.suspend({ type: "suspend-attempt", seq: 7, epoch: 0 });
      attempts.close({ type: "close-attempt", seq: 7, epoch: 0 });
      assert.deepEqual(door.inputs, [{ type: "yield", seq: 7, epoch: 0 }]);
    });
  });

  it("are derived from state when they are let go, and come as ever from then on", async () => {
    await inWorld(HELD, async ({ door, transport, attempts }) => {
      door.add(7, {}, [INPUT]);
      door.add(8, {}, [INPUT]);
      attempts.start(start(7));
      attempts.letGo();
      assert.equal(attempts.isHeld, false);
      assert.deepEqual(door.inputs, [{ type: "fetch-ready", afterSeq: 0, limit: 500 }]);
      attempts.start(start(7));
      attempts.readyPage({ type: "ready-page", lastSeq: null });
      attempts.start(start(8));
      await turn();
      assert.equal(transport.exchanges.length, 2);
      attempts.letGo();
      assert.equal(door.inputs.length, 1, "once is enough");
    });
  });

  it("do not begin after the end", async () => {
    await inWorld(HELD, async ({ door, transport, attempts }) => {
      door.add(7, {}, [INPUT]);
      await attempts.shutdown(0);
      attempts.letGo();
      attempts.start(start(7));
      assert.equal(transport.exchanges.length, 0);
    });
  });
});
