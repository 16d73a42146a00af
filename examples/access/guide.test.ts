/** What `npm run example -- access` prints works when it is pasted. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Demo, paste } from "../../server/test/demo.ts";
import { persist, temporaryDirectory } from "../../server/test/harness.ts";

/** What never ends is found out sooner than by the runner. */
const TIMEOUT_MS = 100_000;

describe("the guide of the access example", { timeout: TIMEOUT_MS }, () => {
  const directory = temporaryDirectory();
  let demo: Demo;

  before(() => {
    demo = new Demo("access", directory.path);
  });

  after(async () => {
    await demo.stop("SIGTERM");
    directory.remove();
  });

  it("leads from a request over two killed processes to the access", async () => {
    const [ask, look, mails, kill, ana, cleo, attach, system, ...more] = await demo.guide();
    assert.ok(ask && look && mails && kill && ana && cleo && attach && system, demo.output);
    assert.equal(more.length, 0);
    assert.match(await paste(ask), /"invocationId":"inv_1/);
    assert.match(await paste(look), /"asked":\["ana"\]/);
    assert.match(await paste(mails), /"about": "ada asks for access to warehouse: stocktaking"/);
    await paste(kill);
    await Promise.all([
      demo.printed(/The server is back/),
      demo.printed(/The access example is back/),
    ]);
    await paste(ana);
    await persist(async () => (/"stage":"owner"/.test(await paste(look)) ? true : undefined));
    await paste(cleo);
    assert.equal(await paste(attach), '{"account":"ada","group":"warehouse-users","seat":1}');
    assert.match(await paste(system), /"seated": \[\s+"ada"\s+\]/);
  });
});
