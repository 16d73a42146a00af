/** What `npm run example -- agent` prints works when it is pasted. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Demo, paste } from "../../server/test/demo.ts";
import { persist, temporaryDirectory } from "../../server/test/harness.ts";

/** What never ends is found out sooner than by the runner. */
const TIMEOUT_MS = 100_000;

describe("the guide of the agent example", { timeout: TIMEOUT_MS }, () => {
  const directory = temporaryDirectory();
  let demo: Demo;

  before(() => {
    demo = new Demo("agent", directory.path);
  });

  after(async () => {
    await demo.stop("SIGTERM");
    directory.remove();
  });

  it("leads from a task over two killed processes to its answer", async () => {
    const [start, look, kill, approve, attach, desk, ...more] = await demo.guide();
    assert.ok(start && look && kill && approve && attach && desk && more.length === 0, demo.output);
    const id = (await paste(start)).trim();
    assert.match(id, /^inv_1\w+$/);
    await persist(async () => (/"waiting-for/.test(await paste(look, { id })) ? true : undefined));
    assert.match(await paste(look, { id }), /"request":\{"id":"request-2","tool":"refund"/);
    await paste(kill);
    await Promise.all([
      demo.printed(/The server is back/),
      demo.printed(/The agent example is back/),
    ]);
    assert.match(await paste(approve, { id }), /"status":"Accepted"/);
    assert.match(await paste(attach, { id }), /Order 1042 is refunded/);
    assert.match(await paste(desk), /"kind": "refund"[^]*"kind": "mail"/);
  });
});
