import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { defaultHost } from "./host.ts";

describe("the default host", () => {
  it("runs jobs once all microtasks are done, also those that come up meanwhile, and before I/O", async () => {
    const order: string[] = [];
    const immediate = new Promise<void>((resolve) => {
      setImmediate(() => {
        order.push("immediate");
        resolve();
      });
    });
    defaultHost.afterMicrotasks({ run: () => order.push("job") });
    defaultHost.afterMicrotasks({ run: () => order.push("second job") });
    const hops = async (): Promise<void> => {
      for (let hop = 0; hop < 20; hop += 1) await Promise.resolve();
      order.push("microtasks");
    };
    await Promise.all([hops(), immediate]);
    assert.deepEqual(order, ["microtasks", "job", "second job", "immediate"]);
  });

  it("runs a job that a microtask asks for after the others", async () => {
    const order: string[] = [];
    await new Promise<void>((resolve) => {
      queueMicrotask(() => {
        defaultHost.afterMicrotasks({
          run: () => {
            order.push("job");
            resolve();
          },
        });
        queueMicrotask(() => queueMicrotask(() => order.push("microtask")));
      });
    });
    assert.deepEqual(order, ["microtask", "job"]);
  });
});
