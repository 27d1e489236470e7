// A cloud CSMS made of npm's ocpp-rpc in strict mode: `node cloud.mjs ocpp1.6`.
//
// Tells of every call it answers, every violation and every answer to its own calls; sends what
// standard input asks for: {"id", "action", "payload"}, with "raw": true past its own strictness.

import { RPCServer, createRPCError } from "ocpp-rpc";
import { listen, say, tellFaults } from "./lines.mjs";

const FIRST_TRANSACTION_ID = 5001;
const version = process.argv[2];
const now = () => new Date().toISOString();
const transactionIds = new Map();
let station;
const raw = new Set();

// The same start told again is the same transaction.
function transactionIdOf(start) {
  const key = JSON.stringify(start);
  if (!transactionIds.has(key)) {
    transactionIds.set(key, FIRST_TRANSACTION_ID + transactionIds.size);
  }
  return transactionIds.get(key);
}

const ANSWERS = {
  "ocpp1.6": {
    BootNotification: () => ({ status: "Accepted", currentTime: now(), interval: 300 }),
    Heartbeat: () => ({ currentTime: now() }),
    Authorize: () => ({ idTagInfo: { status: "Accepted" } }),
    StartTransaction: (start) => ({
      transactionId: transactionIdOf(start),
      idTagInfo: { status: "Accepted" },
    }),
    StopTransaction: () => ({ idTagInfo: { status: "Accepted" } }),
    MeterValues: () => ({}),
    StatusNotification: () => ({}),
    DataTransfer: () => ({ status: "UnknownVendorId" }),
  },
  "ocpp2.0.1": {
    BootNotification: () => ({ status: "Accepted", currentTime: now(), interval: 300 }),
    Heartbeat: () => ({ currentTime: now() }),
    Authorize: () => ({ idTokenInfo: { status: "Accepted" } }),
    TransactionEvent: ({ idToken }) =>
      idToken ? { idTokenInfo: { status: "Accepted" } } : {},
    MeterValues: () => ({}),
    StatusNotification: () => ({}),
    NotifyReport: () => ({}),
    NotifyEvent: () => ({}),
    DataTransfer: () => ({ status: "UnknownVendorId" }),
  },
};

const server = new RPCServer({
  protocols: [version],
  strictMode: true,
  wssOptions: { perMessageDeflate: true },
});

server.on("client", (client) => {
  station = client;
  tellFaults(client, (buffer) => raw.delete(JSON.parse(buffer)[1]));
  client.on("response", ({ outbound, payload: [kind, id, ...rest] }) => {
    if (!outbound && raw.has(id)) {
      say("answer", kind === 3 ? { id, result: rest[0] } : { id, error: rest[0] });
    }
  });
  for (const [action, answer] of Object.entries(ANSWERS[version])) {
    client.handle(action, ({ params }) => {
      const result = answer(params);
      say("call", { identity: client.identity, action, payload: params, result });
      return result;
    });
  }
  client.handle(({ method, params }) => {
    say("unexpected", { identity: client.identity, action: method, payload: params });
    throw createRPCError("NotImplemented");
  });
  say("connected", { identity: client.identity, version: client.protocol });
});

listen(async ({ id, action, payload, raw: isRaw }) => {
  if (isRaw) {
    raw.add(id);
    station.sendRaw(JSON.stringify([2, id, action, payload]));
    return;
  }
  try {
    say("answer", { id, result: await station.call(action, payload) });
  } catch (error) {
    say("answer", { id, error: error.rpcErrorCode ?? error.name, sentence: error.message });
  }
});

const http = await server.listen(0, "127.0.0.1");
say("listening", { port: http.address().port });
