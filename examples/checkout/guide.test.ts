/** What `npm start` prints works when it is pasted, and what it runs survives being killed. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { after, before, describe, it } from "node:test";
import { Demo, paste } from "../../server/test/demo.ts";
import { persist, temporaryDirectory } from "../../server/test/harness.ts";

const alive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe("the guide of npm start", () => {
  const directory = temporaryDirectory();
  let demo: Demo;
  let lines: string[];

  before(async () => {
    demo = new Demo("checkout", directory.path);
    lines = await demo.guide();
  });

  after(async () => {
    await demo.stop("SIGTERM");
    directory.remove();
  });

  it("leads from an order over a killed server to its receipt", async () => {
    const [place, look, kill, pay, attach] = lines;
    assert.ok(place && look && kill && pay && attach && lines.length === 5, demo.output);
    assert.match(await paste(place), /"invocationId":"inv_1/);
    // The person who pastes takes longer than the checkout.
    await persist(async () => (/"awaiting-payment"/.test(await paste(look)) ? true : undefined));
    await paste(kill);
    await demo.printed(/The server was killed \(SIGKILL\)[^]*The server is back after \d+ ms/);
    assert.equal(await paste(pay), "");
    assert.match(await paste(attach), /"paymentReference":"payment-1","trackingCode":"parcel-/);
    assert.match(await paste(place), /PreviouslyAccepted/);
  });

  it("starts a killed endpoint again at the same address", async () => {
    const [place, look] = lines;
    assert.ok(place && look);
    const pid = await demo.printed(/examples\/checkout, process (\d+)/);
    process.kill(Number(pid), "SIGKILL");
    await demo.printed(/The checkout example is back after \d+ ms/);
    assert.match(await paste(look), /"orderId"/);
  });

  it("stops everything with SIGTERM and says where it can go on", async () => {
    const pid = Number(await demo.printed(/The server is back after \d+ ms, process (\d+)/));
    assert.equal(alive(pid), true);
    assert.equal(await demo.stop("SIGTERM"), 0);
    assert.match(demo.output, /Stopped\. The journal is kept/);
    assert.equal(alive(pid), false);
  });
});

describe("npm start on a taken port", () => {
  it("says which setting chooses another, and leaves nothing running", async () => {
    const directory = temporaryDirectory();
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const address = other.address();
    assert.ok(address !== null && typeof address === "object");
    const taken = `127.0.0.1:${address.port}`;
    const demo = new Demo("checkout", directory.path, [
      "--ingress",
      taken,
      "--admin",
      "127.0.0.1:0",
    ]);
    await demo.ended;
    other.close();
    directory.remove();
    assert.equal(await demo.stop("SIGKILL"), 1);
    assert.match(demo.output, /A port is taken[^]*HOLDFAST_INGRESS=/);
  });
});
