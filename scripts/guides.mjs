// What `npm start` and `npm run example` say about each example: how to start it, and what to try.
import path from "node:path";

const portOf = (url) => (url === undefined ? "0" : new URL(url).port);
const unique = () => Date.now().toString(36);

/**
 * `args`: flags of its process, but `--port`; `folder` is for its files, `last` its ready line from before a restart.
 * `guide`: what to try, from the ready lines of both processes.
 */
export const EXAMPLES = {
  checkout: {
    args: (folder, last) => [
      `--db=${path.join(folder, "checkout.db")}`,
      `--orders-port=${portOf(last?.orders)}`,
    ],
    guide: checkoutGuide,
  },
  agent: {
    args: (folder, last) => [
      `--desk=${path.join(folder, "agent-desk.jsonl")}`,
      `--page-port=${portOf(last?.page)}`,
    ],
    guide: agentGuide,
  },
  access: {
    args: (folder, last) => [
      `--directory=${path.join(folder, "access-directory.jsonl")}`,
      `--page-port=${portOf(last?.page)}`,
    ],
    guide: accessGuide,
  },
};

function checkoutGuide(server, example) {
  const order = `order-${unique()}`;
  const body = JSON.stringify({ orderId: order, sku: "book", quantity: 1, amountCents: 1900 });
  const paid = JSON.stringify({ status: "paid", reference: "payment-1" });
  return `A checkout that waits for its payment. In another terminal:

  # 1. Place an order. The answer comes at once; the checkout runs behind it.
  curl -X POST ${server.ingress}/Checkout/place/send -H 'idempotency-key: ${order}' -H 'content-type: application/json' -d '${body}'

  # 2. See it wait. The awakeable is what the payment provider's webhook resolves.
  curl ${example.orders}/orders/${order}

  # 3. Kill the server as hard as you like. It is started again, and nothing changes but time.
  kill -9 ${server.pid}

  # 4. Pay.
  curl -X POST ${server.ingress}/restate/awakeables/$(curl -s ${example.orders}/orders/${order}/awakeable)/resolve -H 'content-type: application/json' -d '${paid}'

  # 5. Read the receipt (waits for it if need be).
  curl ${server.ingress}/restate/invocation/Checkout/place/${order}/attach

Repeat step 1 and see that nothing happens twice. Ctrl-C stops everything.
`;
}

function agentGuide(server, example) {
  const goal = JSON.stringify({ goal: "Please refund order 1042, the lamp arrived broken." });
  const approval = JSON.stringify({ request: "request-2", approved: true });
  const invocation = `${server.ingress}/restate/invocation/$id`;
  return `An agent that asks a person before it moves money. Its page, which does all of the below:

  ${example.page}/?ingress=${encodeURIComponent(server.ingress)}

Or in another terminal:

  # 1. Give it a task. The answer comes at once, with the id of the invocation; the agent works behind it.
  id=$(curl -s -X POST ${server.ingress}/Agent/run/send -H 'content-type: application/json' -d '${goal}' | grep -o 'inv_1[0-9A-Za-z]*'); echo $id

  # 2. See how far it is: it wants to refund, and waits for approval.
  curl "${invocation}/events/status?wait=30s"

  # 3. Kill the server, and the agent. Both are started again; the model is not asked again what it has answered.
  kill -9 ${server.pid} ${example.pid}

  # 4. Approve, as a webhook would.
  curl -X POST "${invocation}/messages/approvals" -H 'content-type: application/json' -d '${approval}'

  # 5. Read the answer (waits for it if need be), and what the tools did.
  curl "${invocation}/attach"
  curl ${example.page}/desk

Ctrl-C stops everything.
`;
}

function accessGuide(server, example) {
  const id = `request-${unique()}`;
  const request = JSON.stringify({ person: "ada", system: "warehouse", reason: "stocktaking" });
  const yes = JSON.stringify({ approved: true });
  const answer = (who) =>
    `curl -X POST ${server.ingress}/restate/awakeables/$(curl -s ${example.page}/mails/${who}/link)/resolve -H 'content-type: application/json' -d '${yes}'`;
  return `A request for access that two people have to approve, each within a week. In another terminal:

  # 1. Ask.
  curl -X POST ${server.ingress}/AccessRequest/${id}/run/send -H 'content-type: application/json' -d '${request}'

  # 2. See whom it asked.
  curl "${server.ingress}/restate/workflow/AccessRequest/${id}/events/status?wait=30s"
  curl ${example.page}/mails/ana

  # 3. Kill the server, and the example. Both are started again, and the week goes on.
  kill -9 ${server.pid} ${example.pid}

  # 4. Ana approves, then Cleo, who owns the system, by the links in their mails.
  ${answer("ana")}
  ${answer("cleo")}

  # 5. Read what was set up (waits for it if need be).
  curl ${server.ingress}/restate/workflow/AccessRequest/${id}/attach
  curl ${example.page}/systems/warehouse

In payroll all seats are taken: ask for access to that, have Ana approve it, and see everything taken back. Ctrl-C stops everything.
`;
}
