import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import type { IncomingMessage } from "node:http";
import { after, describe, it } from "node:test";
import { temporaryDirectory } from "../test/harness.ts";
import { BucketError, type BucketFailure } from "./bucket-error.ts";
import { openS3Bucket, type S3Options } from "./s3-bucket.ts";
import { type Fault, type S3Double, startS3Double } from "./s3-double.suite.ts";
import { partBytesFor } from "./s3-upload.ts";

const MIB = 1024 * 1024;
const SECRET = "secret/of+the+tests";
const TOKEN = "token-of-the-tests";
process.env["AWS_ACCESS_KEY_ID"] = "keyofthetests";
process.env["AWS_SECRET_ACCESS_KEY"] = SECRET;
process.env["AWS_SESSION_TOKEN"] = TOKEN;
// Where the SDK looks for more, were it not there.
process.env["AWS_EC2_METADATA_DISABLED"] = "true";

const directory = temporaryDirectory();
const doubles: S3Double[] = [];
after(async () => {
  directory.remove();
  for (const double of doubles) await double.close();
});

async function open(options: Partial<S3Options> = {}) {
  const double = await startS3Double();
  doubles.push(double);
  const bucket = await openS3Bucket({
    bucket: "journal",
    prefix: "a/",
    endpoint: double.url,
    region: null,
    pathStyle: true,
    ...options,
  });
  return { double, bucket };
}

const isKind = (kind: BucketFailure) => (error: unknown) =>
  error instanceof BucketError && error.kind === kind;

const bytesOf = (size: number): Uint8Array => new Uint8Array(randomBytes(size));

function fileOf(bytes: Uint8Array): string {
  const file = `${directory.path}/${randomBytes(6).toString("hex")}`;
  fs.writeFileSync(file, bytes);
  return file;
}

/** Fails what matches, so many times. */
function failing(times: number, fault: Fault, matches: (request: IncomingMessage) => boolean) {
  let left = times;
  return (request: IncomingMessage) => {
    if (!matches(request) || left === 0) return null;
    left -= 1;
    return fault;
  };
}

const isPart =
  (number: number) =>
  ({ method, url = "" }: IncomingMessage): boolean =>
    method === "PUT" && new RegExp(`[?&]partNumber=${number}(?:&|$)`).test(url);

describe("an S3-compatible store on a bad day", () => {
  for (const fault of ["cut", "stall"] as const) {
    it(`gives no half objects: ${fault} downloads fail`, async () => {
      const { double, bucket } = await open({ silenceMsMax: 300 });
      await bucket.put("segments/1", bytesOf(2 * MIB));
      double.faultOf = () => fault;
      await assert.rejects(bucket.get("segments/1"), isKind("unavailable"));
      const chunks = await bucket.read("segments/1");
      await assert.rejects(async () => {
        for await (const chunk of chunks ?? []) assert.ok(chunk.length > 0);
      }, isKind("unavailable"));
      bucket.close();
    });
  }

  it("that is silent has failed after a while", async () => {
    const { double, bucket } = await open({ silenceMsMax: 300 });
    double.faultOf = () => "silence";
    const beganMs = performance.now();
    await assert.rejects(bucket.putNew("segments/1", bytesOf(10)), isKind("unavailable"));
    await assert.rejects(bucket.put("segments/1", bytesOf(3 * MIB)), isKind("unavailable"));
    await assert.rejects(bucket.get("segments/1"), isKind("unavailable"));
    assert.ok(performance.now() - beganMs < 10_000);
    bucket.close();
  });

  it("may have stored what it did not confirm, and says so when asked again", async () => {
    const { double, bucket } = await open();
    const bytes = bytesOf(100);
    double.faultOf = failing(1, "lost-answer", () => true);
    await assert.rejects(bucket.putNew("segments/1", bytes), isKind("unavailable"));
    assert.equal(await bucket.putNew("segments/1", bytes), "exists");
    assert.deepEqual(await bucket.get("segments/1"), bytes);
    bucket.close();
  });

  it("that answers 404 to everything is not taken for an empty one", async () => {
    const { double, bucket } = await open();
    double.before = (_, response) => {
      response.writeHead(404, { "content-type": "text/html" }).end("<html>not here</html>");
      return true;
    };
    await assert.rejects(bucket.get("segments/1"), isKind("refused"));
    await assert.rejects(bucket.list("segments/")[Symbol.asyncIterator]().next(), BucketError);
    bucket.close();
  });

  it("that lists in no order is refused", async () => {
    const { double, bucket } = await open();
    double.before = (_, response) => {
      const item = (key: string) => `<Contents><Key>a/${key}</Key><Size>1</Size></Contents>`;
      const items = item("segments/2") + item("segments/1");
      response.end(`<ListBucketResult><IsTruncated>false</IsTruncated>${items}</ListBucketResult>`);
      return true;
    };
    await assert.rejects(async () => {
      for await (const { key } of bucket.list("segments/")) assert.equal(key, "segments/2");
    }, isKind("unsupported"));
    bucket.close();
  });

  it("tells of what it did not delete", async () => {
    const { double, bucket } = await open();
    double.before = (_, response) => {
      const error = "<Key>a/x</Key><Code>AccessDenied</Code><Message>no</Message>";
      response.end(`<DeleteResult><Error>${error}</Error></DeleteResult>`);
      return true;
    };
    await assert.rejects(bucket.delete(["x", "y"]), isKind("denied"));
    bucket.close();
  });

  it("quotes no credentials", async () => {
    const { double, bucket } = await open();
    double.before = ({ headers }, response) => {
      double.fail(response, 400, "Echo", `${JSON.stringify(headers)} ${SECRET}`);
      return true;
    };
    await assert.rejects(bucket.put("segments/1", bytesOf(10)), (error: unknown) => {
      assert.ok(error instanceof Error);
      assert.match(error.message, /400 Echo/);
      for (const secret of [SECRET, TOKEN, "keyofthetests"]) {
        assert.ok(!error.message.includes(secret), error.message);
      }
      return true;
    });
    bucket.close();
  });
});

describe("a large file", () => {
  const isSame = (one: Uint8Array | null, other: Uint8Array): boolean =>
    one !== null && Buffer.compare(one, other) === 0;

  it("arrives although some of its parts fail at first", async () => {
    const { double, bucket } = await open();
    const bytes = bytesOf(40 * MIB + 7);
    double.faultOf = failing(2, "error", isPart(3));
    const told: number[] = [];
    await bucket.putFile("snapshots/1", fileOf(bytes), (sent) => told.push(sent));
    assert.ok(isSame(await bucket.get("snapshots/1"), bytes));
    assert.equal(told.length, 6);
    assert.deepEqual(
      told,
      told.toSorted((one, other) => one - other),
    );
    assert.equal(told.at(-1), bytes.length);
    assert.equal(double.uploads, 0);
    bucket.close();
  });

  it("that cannot be stored leaves nothing, and nothing goes on", async () => {
    const { double, bucket } = await open();
    const sent = new Set<string>();
    // The second part is denied while those beside it are still under way.
    double.before = (request, response) => {
      const [, number] = /[?&]partNumber=(\d+)/.exec(request.url ?? "") ?? [];
      if (number === undefined || number === "2") return false;
      sent.add(number);
      setTimeout(() => response.writeHead(200, { etag: '"1"' }).end(), 200);
      return true;
    };
    double.faultOf = failing(1, "denied", isPart(2));
    const file = fileOf(bytesOf(64 * MIB));
    await assert.rejects(bucket.putFile("snapshots/1", file), isKind("denied"));
    assert.equal(double.uploads, 0);
    assert.deepEqual([...sent].toSorted(), ["1", "3", "4"]);
    assert.equal(await bucket.get("snapshots/1"), null);
    bucket.close();
  });

  it("is cut into no more parts than S3 takes, of whole mebibytes", () => {
    for (const size of [17 * MIB, 80_000 * MIB, 80_000 * MIB + 1, 5_000_000 * MIB]) {
      const part = partBytesFor(size);
      assert.ok(Math.ceil(size / part) <= 10_000);
      assert.equal(part % MIB, 0);
      assert.ok(part >= 8 * MIB);
    }
  });
});

describe("a client of S3", () => {
  it("keeps its connection, also for what is large", async () => {
    const { double, bucket } = await open();
    for (let each = 0; each < 5; each += 1) await bucket.put("a/x", bytesOf(4 * MIB));
    assert.equal(double.connections, 1);
    bucket.close();
  });

  it("fails what is under way, and what comes later, when it is closed", async () => {
    const { double, bucket } = await open();
    const arrived = new Promise<void>((resolve) => {
      double.before = () => {
        resolve();
        return true;
      };
    });
    const failed = assert.rejects(bucket.put("a/x", bytesOf(10)), isKind("unavailable"));
    await arrived;
    const beganMs = performance.now();
    bucket.close();
    await failed;
    assert.ok(performance.now() - beganMs < 5000, "long before it is silent for too long");
    await assert.rejects(bucket.put("a/x", bytesOf(10)), /is closed/);
  });

  it("is denied with another's key, and told what to check", async () => {
    const { double, bucket } = await open();
    double.accessKeyId = "somebody";
    await assert.rejects(bucket.get("a/x"), (error: unknown) => {
      assert.ok(error instanceof BucketError);
      assert.equal(error.kind, "denied");
      assert.match(error.message, /403 InvalidAccessKeyId.*AWS_ACCESS_KEY_ID/);
      return true;
    });
    bucket.close();
  });

  it("is denied without credentials, and told where they are looked for", async () => {
    await withEnvironment(
      {
        AWS_ACCESS_KEY_ID: undefined,
        AWS_SECRET_ACCESS_KEY: undefined,
        AWS_SESSION_TOKEN: undefined,
        AWS_CONFIG_FILE: `${directory.path}/none`,
        AWS_SHARED_CREDENTIALS_FILE: `${directory.path}/none`,
      },
      async () => {
        const { bucket } = await open();
        await assert.rejects(bucket.get("a/x"), (error: unknown) => {
          assert.ok(error instanceof BucketError);
          assert.equal(error.kind, "denied");
          assert.match(error.message, /AWS_ACCESS_KEY_ID/);
          return true;
        });
        bucket.close();
      },
    );
  });

  it("takes the region it is given, or the environment's, or a profile's, or us-east-1", async () => {
    const config = fileOf(new TextEncoder().encode("[default]\nregion = eu-central-1\n"));
    const none = { AWS_REGION: undefined, AWS_DEFAULT_REGION: undefined };
    const nowhere = { ...none, AWS_CONFIG_FILE: `${directory.path}/none` };
    const cases = [
      [nowhere, null, "us-east-1"],
      [{ ...none, AWS_CONFIG_FILE: config }, null, "eu-central-1"],
      [{ ...nowhere, AWS_REGION: "eu-west-3" }, null, "eu-west-3"],
      [{ ...nowhere, AWS_DEFAULT_REGION: "eu-west-2" }, null, "eu-west-2"],
      [{ ...nowhere, AWS_REGION: "eu-west-3" }, "ap-south-1", "ap-south-1"],
    ] as const;
    for (const [environment, region, expected] of cases) {
      await withEnvironment(environment, async () => {
        const { double, bucket } = await open({ region });
        let signed = "";
        double.before = ({ headers }) => {
          signed = headers.authorization ?? "";
          return false;
        };
        await bucket.get("a/x");
        assert.match(signed, new RegExp(`/${expected}/s3/`));
        bucket.close();
      });
    }
  });
});

async function withEnvironment(
  values: Readonly<Record<string, string | undefined>>,
  run: () => Promise<void>,
): Promise<void> {
  const before = Object.keys(values).map((name) => [name, process.env[name]] as const);
  const set = (entries: readonly (readonly [string, string | undefined])[]) => {
    for (const [name, value] of entries) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  };
  set(Object.entries(values));
  try {
    await run();
  } finally {
    set(before);
  }
}
