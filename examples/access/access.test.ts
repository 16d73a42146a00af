/** The example as its README tells it: built, behind the built server, both killed in the middle. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { connect, type Ingress } from "@holdfast/sdk/client";
import {
  type BuiltExample,
  buildExample,
  type RunningExample,
  startExample,
} from "../../server/test/example.ts";
import {
  type Answer as HttpAnswer,
  get,
  persist,
  post,
  register,
  type RunningServer,
  startServer,
  temporaryDirectory,
} from "../../server/test/harness.ts";
import type { Status } from "./access.ts";
import { Directory } from "./directory.ts";

/** Longer than any test waits. */
const PATIENT = ["--patience", "7d"];

/** What never ends is found out sooner than by the runner. */
const TIMEOUT_MS = 100_000;

describe("the access example", { timeout: TIMEOUT_MS }, () => {
  const folder = temporaryDirectory();
  const file = `${folder.path}/directory.jsonl`;
  const directory = new Directory(file);
  const running: RunningExample[] = [];
  let server: RunningServer;
  let built: BuiltExample;
  let ingress: Ingress;

  before(async () => {
    built = await buildExample("access", "holdfast");
    server = await startServer(`${folder.path}/data`);
    ingress = connect({ url: server.ingress });
  });

  after(async () => {
    await server.process.stop();
    for (const example of running) await example.process.stop();
    built.remove();
    folder.remove();
  });

  /** New requests go to a process with these flags. */
  async function serve(flags: readonly string[]): Promise<RunningExample> {
    const example = await startExample(built, ["--directory", file, ...flags]);
    running.push(example);
    await register(server.admin, example.endpoint);
    return example;
  }

  async function ask(id: string, person: string, system = "warehouse"): Promise<string> {
    const url = `${server.ingress}/AccessRequest/${id}/run/send`;
    const answer = await post(url, { person, system, reason: "stocktaking" });
    assert.equal(answer.status, 202, answer.text);
    return (JSON.parse(answer.text) as { invocationId: string }).invocationId;
  }

  const result = (id: string): Promise<HttpAnswer> =>
    get(`${server.ingress}/restate/workflow/AccessRequest/${id}/attach`);

  /** Waits as a front end does, until the status is as wanted. */
  async function statusOf(
    key: string,
    wanted: (status: Status) => boolean,
    known?: number,
  ): Promise<Status> {
    const target = { workflow: "AccessRequest", key };
    const opts = { wait: { seconds: 30 }, after: known };
    const event = await ingress.getEvent<Status>(target, "status", opts);
    assert.ok(event !== undefined, `no status of ${key} after ${known}`);
    return wanted(event.value) ? event.value : statusOf(key, wanted, event.version);
  }

  /** The link in the mail that this approver got about this person. */
  const linkTo = (approver: string, person: string, system = "warehouse") =>
    persist(async () => {
      const wanted = `${person} asks for access to ${system}:`;
      return directory.mailsTo(approver).find(({ about }) => about.startsWith(wanted))?.link;
    });

  async function follow(link: string, how: "resolve" | "reject", body: unknown): Promise<void> {
    const answer = await post(`${server.ingress}/restate/awakeables/${link}/${how}`, body);
    assert.equal(answer.status, 202, answer.text);
  }

  const approve = async (approver: string, person: string, system?: string): Promise<void> =>
    follow(await linkTo(approver, person, system), "resolve", { approved: true });

  /** What was done about the person, mails left out. */
  const changesOf = (person: string) =>
    directory
      .changes()
      .filter(({ who, mail }) => who === person && mail === undefined)
      .map(({ kind }) => kind);

  const newestMailTo = (person: string) => directory.mailsTo(person).at(-1)?.about;

  it("grants what every stage approved", async () => {
    await serve(PATIENT);
    await ask("r-1", "ada");
    await approve("ana", "ada");
    await approve("cleo", "ada");
    const answer = await result("r-1");
    assert.equal(answer.status, 200, answer.text);
    const access = { account: "ada", group: "warehouse-users", seat: 1 };
    assert.deepEqual(JSON.parse(answer.text), access);
    assert.deepEqual(changesOf("ada"), ["create account", "join group", "take seat"]);
    assert.deepEqual(await statusOf("r-1", () => true), { phase: "granted", access });
    assert.match(newestMailTo("ada") ?? "", /You have access/);
  });

  it("goes on after server and endpoint were killed between two approvals", async () => {
    const example = await serve(PATIENT);
    await ask("r-2", "bob");
    await approve("ana", "bob");
    await linkTo("cleo", "bob");
    await Promise.all([server.process.kill(), example.process.kill()]);
    await Promise.all([server.process.start(), example.process.start()]);
    await approve("cleo", "bob");
    assert.equal((await result("r-2")).status, 200);
    assert.deepEqual(changesOf("bob"), ["create account", "join group", "take seat"]);
    const asked = directory.changes().filter(({ who, mail }) => who === "ana" && mail?.link);
    assert.equal(asked.length, 2, "one mail for each of the two requests");
  });

  it("passes over who does not answer, who may still do so later", async () => {
    await serve(["--patience", "500ms"]);
    await ask("r-3", "eva");
    const first = await linkTo("ana", "eva");
    const waiting = await statusOf("r-3", ({ phase, ...more }) => {
      return phase === "waiting" && "asked" in more && more.asked.length === 2;
    });
    assert.deepEqual(waiting, { phase: "waiting", stage: "manager", asked: ["ana", "ben"] });
    await follow(first, "resolve", { approved: true });
    await linkTo("dan", "eva");
    await approve("dan", "eva");
    assert.equal((await result("r-3")).status, 200);
    assert.equal(directory.mailsTo("eve").length, 0);
  });

  it("ends when nobody answers, also over an outage that is longer than the time", async () => {
    await serve(["--patience", "300ms"]);
    await ask("r-4", "fay");
    await linkTo("ana", "fay");
    await server.process.kill();
    await new Promise((resolve) => setTimeout(resolve, 700));
    await server.process.start();
    const answer = await result("r-4");
    assert.equal(answer.status, 408, answer.text);
    assert.match(answer.text, /nobody answered: ana, ben/);
    assert.match(newestMailTo("fay") ?? "", /You do not get access: nobody answered/);
    assert.deepEqual(changesOf("fay"), []);
  });

  it("takes a rejected link, and whatever is no clear yes, for a no", async () => {
    await serve(PATIENT);
    const answers = [
      ["r-5", "gil", "resolve", { approved: false, comment: "not her job" }, "not her job"],
      ["r-6", "hal", "reject", "ask again in May", "ask again in May"],
      ["r-7", "ida", "resolve", "yes", "ana said no"],
      ["r-8", "jan", "resolve", null, "ana said no"],
    ] as const;
    for (const [id, person, how, body, said] of answers) {
      await ask(id, person);
      await follow(await linkTo("ana", person), how, body);
      const answer = await result(id);
      assert.equal(answer.status, 403, answer.text);
      assert.ok(answer.text.includes(said), answer.text);
      assert.deepEqual(changesOf(person), []);
    }
  });

  it("takes everything back when one thing cannot be had, also over a crash", async () => {
    const example = await serve(PATIENT);
    await ask("r-9", "kim", "payroll");
    await approve("ana", "kim", "payroll");
    await persist(async () => (changesOf("kim").includes("join group") ? true : undefined));
    await Promise.all([server.process.kill(), example.process.kill()]);
    await Promise.all([server.process.start(), example.process.start()]);
    const answer = await result("r-9");
    assert.equal(answer.status, 409, answer.text);
    assert.match(answer.text, /no seat left in payroll/);
    assert.deepEqual(
      changesOf("kim")
        .filter((kind) => kind !== "join group")
        .at(-1),
      "remove account",
    );
    assert.ok(!directory.accounts().includes("kim"));
    assert.deepEqual(directory.members("payroll"), []);
    assert.match(newestMailTo("kim") ?? "", /You do not get access: no seat left/);
  });

  it("leaves an account alone that was there before", async () => {
    await ask("r-10", "ada", "payroll");
    await approve("ana", "ada", "payroll");
    assert.equal((await result("r-10")).status, 409);
    assert.ok(directory.accounts().includes("ada"));
    assert.deepEqual(directory.members("payroll"), []);
  });

  it("leaves nothing behind when it is cancelled", async () => {
    const invocationId = await ask("r-11", "lea");
    const link = await linkTo("ana", "lea");
    const cancelled = await fetch(`${server.admin}/invocations/${invocationId}/cancel`, {
      method: "PATCH",
    });
    assert.equal(cancelled.status, 202);
    assert.equal((await result("r-11")).status, 409);
    await follow(link, "resolve", { approved: true });
    assert.deepEqual(changesOf("lea"), []);
    assert.match(newestMailTo("lea") ?? "", /You do not get access: /);
  });

  it("refuses what is no request, and systems that it does not know", async () => {
    const url = `${server.ingress}/AccessRequest`;
    assert.equal((await post(`${url}/r-12/run`, { person: "x" })).status, 400);
    const moon = { person: "moe", system: "moon", reason: "fun" };
    assert.equal((await post(`${url}/r-13/run`, moon)).status, 404);
    const direct = await post(`${server.ingress}/Provisioning/r-14/run`, moon);
    assert.ok(direct.status >= 400 && direct.status < 500, direct.text);
  });
});
