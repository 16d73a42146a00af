import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { parsePath, type Route, splitTarget } from "./path.ts";

/** A route in one line; a problem as its reason. */
function brief(route: Route): string {
  if (route.kind === "problem") return route.problem.reason;
  return JSON.stringify(Object.values(route)).replaceAll('"', "");
}

const ROUTES: Readonly<Record<string, string>> = {
  "/Greeter/greet": "[classic,Greeter,[greet]]",
  "/Greeter/greet/send": "[classic,Greeter,[greet,send]]",
  "/Greeter/greet/": "[classic,Greeter,[greet]]",
  "/Greeter/greet///": "[classic,Greeter,[greet]]",
  "//Greeter/greet": "[classic,Greeter,[greet]]",
  "/Counter/key/add/send": "[classic,Counter,[key,add,send]]",
  "/Counter//add": "[classic,Counter,[,add]]",
  "/Gre%65ter/greet": "[classic,Gre%65ter,[greet]]",
  "/restate/call/Greeter/greet": "[explicit,false,Greeter,[greet]]",
  "/restate/send/Greeter/greet": "[explicit,true,Greeter,[greet]]",
  "/restate/send/Greeter/greet/send": "[explicit,true,Greeter,[greet,send]]",
  "/restate/call/Counter/key/add": "[explicit,false,Counter,[key,add]]",
  "/restate/call/Counter/key/add/send": "bad-path",
  "/restate/call/Greeter": "bad-path",
  "/restate/call": "bad-path",
  "/restate/invocation/inv_1/attach": "[result,attach,inv_1]",
  "/restate/invocation/inv_1/output": "[result,output,inv_1]",
  "/restate/attach/inv_1": "[result,attach,inv_1]",
  "/restate/output/inv_1": "[result,output,inv_1]",
  "/restate/invocation/S/h/key/attach": "[idempotent-result,attach,S,null,h,key]",
  "/restate/invocation/S/h/a%2Fb%20c/output": "[idempotent-result,output,S,null,h,a/b c]",
  "/restate/invocation/S/h//attach": "[idempotent-result,attach,S,null,h,]",
  "/restate/invocation/S/%C3%A9/h/key/attach": "[idempotent-result,attach,S,é,h,key]",
  "/restate/invocation/S/h/%FF/attach": "bad-path",
  "/restate/invocation/S/%zz/h/key/attach": "bad-path",
  "/restate/invocation/S/attach": "[result,attach,S]",
  "/restate/invocation/S/h/attach": "bad-path",
  "/restate/invocation/inv_1/cancel": "not-found",
  "/restate/invocation/inv_1/messages/a%2Fb": "[message,{kind:invocation,id:inv_1},a/b]",
  "/restate/invocation/inv_1/messages/attach": "[message,{kind:invocation,id:inv_1},attach]",
  "/restate/invocation/inv_1/messages": "not-found",
  "/restate/invocation/inv_1/messages/%FF": "bad-path",
  "/restate/invocation/%FF/messages/t": "bad-path",
  "/restate/invocation/inv_1/events": "[events,{kind:invocation,id:inv_1}]",
  "/restate/invocation/inv_1/events/k": "[event,{kind:invocation,id:inv_1},k]",
  "/restate/invocation/inv_1/events/k/x": "not-found",
  "/restate/invocation/S/events/key/attach": "[idempotent-result,attach,S,null,events,key]",
  "/restate/workflow/W/a%2Fb/messages/t": "[message,{kind:workflow,service:W,key:a/b},t]",
  "/restate/workflow/W/key/events/k": "[event,{kind:workflow,service:W,key:key},k]",
  "/restate/workflow/W/key/events": "[events,{kind:workflow,service:W,key:key}]",
  "/restate/workflow/W/%FF/events": "bad-path",
  "/restate/workflow/W/key/attach": "[workflow-result,attach,W,key]",
  "/restate/workflow/W/a%2Fb/output": "[workflow-result,output,W,a/b]",
  "/restate/workflow/W//attach": "[workflow-result,attach,W,]",
  "/restate/workflow/W/%FF/attach": "bad-path",
  "/restate/workflow/W/key/run": "not-found",
  "/restate/workflow/W/attach": "not-found",
  "/restate/attach": "[target,attach]",
  "/restate/output": "[target,output]",
  "/restate/lookup": "[target,lookup]",
  "/restate/lookup/inv_1": "not-found",
  "/restate/awakeables/sign_1x/resolve": "[awakeable,true,sign_1x]",
  "/restate/a/sign_1x%3D/reject": "[awakeable,false,sign_1x=]",
  "/restate/a/sign_1x": "not-found",
  "/restate/a/sign_1x/resolve/now": "not-found",
  "/restate/signals/inv_1/go/resolve": "[signal,true,inv_1,go]",
  "/restate/signals/inv_1/go%2F%C3%A9/reject": "[signal,false,inv_1,go/é]",
  "/restate/signals/inv_1//resolve": "[signal,true,inv_1,]",
  "/restate/signals/inv_1/%FF/resolve": "bad-path",
  "/restate/signals/inv_1/resolve": "not-found",
  "/restate/signals/inv_1/go/cancel": "not-found",
  "/restate/signals/inv_1/go/resolve/now": "not-found",
  "/restate/scope/s/call/S/h": "scopes-unsupported",
  "/restate/health": "[health]",
  "/restate/health/": "[health]",
  "/restate/health/deep": "not-found",
  "/restate/nothing": "not-found",
  "/restate": "bad-path",
  "/Restate/call": "[classic,Restate,[call]]",
  "/openapi": "not-found",
  "/openapi/x/y": "not-found",
  "/": "bad-path",
  "": "bad-path",
  "//": "bad-path",
  "/Greeter": "bad-path",
  "/1/2/3/4/5/6/7": "[classic,1,[2,3,4,5,6,7]]",
  "/1/2/3/4/5/6/7/8": "bad-path",
};

test("paths read as the grammar says", () => {
  for (const [path, expected] of Object.entries(ROUTES)) {
    assert.equal(brief(parsePath(path)), expected, path);
  }
});

test("a request target is a path with a query, or an absolute URL of one", () => {
  assert.deepEqual(splitTarget("/S/h?delay=1s?&x"), { path: "/S/h", query: "delay=1s?&x" });
  assert.deepEqual(splitTarget("http://host:8080/S/h?x"), { path: "/S/h", query: "x" });
  assert.deepEqual(splitTarget("HTTPS://host"), { path: "", query: "" });
  for (const bad of ["*", "S/h", "ftp://host/S/h", "", "/S/\u00e9", "/S/h\u0000", "http:///S/h"]) {
    assert.equal(splitTarget(bad), undefined, bad);
  }
});

const WORDS =
  " restate call send attach output invocation a resolve lookup workflow signals openapi scope health %FF % %2 %C3%A9 %00 .. key".split(
    " ",
  );

const segment = fc.oneof(fc.constantFrom(...WORDS), fc.string({ unit: "binary", maxLength: 8 }));

test("no path makes the grammar throw, and every refusal has a status and a reason", () => {
  const path = fc.array(segment, { maxLength: 10 }).map((segments) => `/${segments.join("/")}`);
  fc.assert(
    fc.property(fc.oneof(path, fc.string({ unit: "binary" })), (text) => {
      const target = splitTarget(text);
      const route = parsePath(target?.path ?? text);
      if (route.kind !== "problem") return;
      assert.ok([400, 404].includes(route.problem.status));
      assert.match(route.problem.reason, /^[a-z][a-z-]+$/);
    }),
    { numRuns: 5000 },
  );
});

test("any idempotency key and any object key can be reached when it is encoded", () => {
  const text = fc.string({ unit: "grapheme" });
  fc.assert(
    fc.property(text, text, (key, idempotencyKey) => {
      const tail = `${encodeURIComponent(key)}/h/${encodeURIComponent(idempotencyKey)}/attach`;
      const route = parsePath(`/restate/invocation/S/${tail}`);
      assert.deepEqual(route, {
        kind: "idempotent-result",
        mode: "attach",
        service: "S",
        key,
        handler: "h",
        idempotencyKey,
      });
    }),
  );
});
